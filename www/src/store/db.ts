/** Where conversations are kept: IndexedDB, or the page's memory where the browser refuses it. */
import { openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { Message } from "./tree.js";

export interface Conversation {
  id: string;
  title: string;
  created: number;
  updated: number;
  /** Where what is shown ends; null before the first message. */
  leaf: string | null;
  /** The system prompt; empty for none. */
  system: string;
}

export interface Store {
  /** False: what is written is gone with the page. */
  readonly isKept: boolean;
  conversations(): Promise<Conversation[]>;
  messages(conversation: string): Promise<Message[]>;
  /** All messages of all conversations, one after the other, until `visit` says no. */
  scan(visit: (message: Message) => boolean): Promise<void>;
  /** All or nothing. */
  put(conversation: Conversation, messages: readonly Message[]): Promise<void>;
  remove(conversation: string): Promise<void>;
}

interface Schema extends DBSchema {
  conversations: { key: string; value: Conversation };
  messages: { key: string; value: Message; indexes: { conversation: string } };
}

const NAME = "hearth";
const VERSION = 1;
/** Messages that are read at a time: one by one is slow, and all of them may be more than memory. */
const BATCH = 1000;

export async function openStore(): Promise<Store> {
  try {
    const database = await openDB<Schema>(NAME, VERSION, {
      upgrade(db) {
        db.createObjectStore("conversations", { keyPath: "id" });
        db.createObjectStore("messages", { keyPath: "id" }).createIndex("conversation", "conversation");
      },
      // A newer page in another tab wants to change the format.
      blocking: (_current, _blocked, event) => {
        (event.target as IDBDatabase | null)?.close();
      },
    });
    return new DatabaseStore(database);
  } catch {
    return new MemoryStore();
  }
}

class DatabaseStore implements Store {
  readonly isKept = true;
  readonly #db: IDBPDatabase<Schema>;

  constructor(db: IDBPDatabase<Schema>) {
    this.#db = db;
  }

  conversations(): Promise<Conversation[]> {
    return this.#db.getAll("conversations");
  }

  messages(conversation: string): Promise<Message[]> {
    return this.#db.getAllFromIndex("messages", "conversation", conversation);
  }

  async scan(visit: (message: Message) => boolean): Promise<void> {
    for (let from: IDBKeyRange | null = null; ;) {
      const some: Message[] = await this.#db.getAll("messages", from, BATCH);
      const last = some.at(-1);
      if (!some.every(visit) || last === undefined || some.length < BATCH) return;
      from = IDBKeyRange.lowerBound(last.id, true);
    }
  }

  async put(conversation: Conversation, messages: readonly Message[]): Promise<void> {
    const transaction = this.#db.transaction(["conversations", "messages"], "readwrite");
    const all: Promise<unknown>[] = messages.map((message) => transaction.objectStore("messages").put(message));
    await Promise.all([...all, transaction.objectStore("conversations").put(conversation), transaction.done]);
  }

  async remove(conversation: string): Promise<void> {
    const transaction = this.#db.transaction(["conversations", "messages"], "readwrite");
    const messages = transaction.objectStore("messages");
    const keys = await messages.index("conversation").getAllKeys(conversation);
    const all: Promise<unknown>[] = keys.map((key) => messages.delete(key));
    await Promise.all([...all, transaction.objectStore("conversations").delete(conversation), transaction.done]);
  }
}

class MemoryStore implements Store {
  readonly isKept = false;
  readonly #conversations = new Map<string, Conversation>();
  readonly #messages = new Map<string, Map<string, Message>>();

  conversations(): Promise<Conversation[]> {
    return Promise.resolve([...this.#conversations.values()]);
  }

  messages(conversation: string): Promise<Message[]> {
    return Promise.resolve([...(this.#messages.get(conversation)?.values() ?? [])]);
  }

  scan(visit: (message: Message) => boolean): Promise<void> {
    for (const messages of this.#messages.values()) {
      for (const message of messages.values()) if (!visit(message)) return Promise.resolve();
    }
    return Promise.resolve();
  }

  put(conversation: Conversation, messages: readonly Message[]): Promise<void> {
    this.#conversations.set(conversation.id, conversation);
    const kept = this.#messages.get(conversation.id) ?? new Map<string, Message>();
    for (const message of messages) kept.set(message.id, message);
    this.#messages.set(conversation.id, kept);
    return Promise.resolve();
  }

  remove(conversation: string): Promise<void> {
    this.#conversations.delete(conversation);
    this.#messages.delete(conversation);
    return Promise.resolve();
  }
}
