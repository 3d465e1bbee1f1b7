/** Storage of conversations: IndexedDB, or the page's memory if the browser refuses it. */
import { openDB, type DBSchema, type IDBPDatabase } from "idb";
import type { FilePart } from "./parts.js";
import type { Transcript } from "./transcript.js";
import type { Message } from "./tree.js";
import { upgrade, VERSION } from "./upgrade.js";

export interface Conversation {
  id: string;
  title: string;
  created: number;
  updated: number;
  /** Id of the last message shown; null before the first message. */
  leaf: string | null;
  /** The system prompt; empty for none. */
  system: string;
  /** Messages that the model is not given any more, by their ids: the oldest ones, for lack of room. */
  forgotten?: readonly string[];
  /** Id of the question whose last answer failed before its first word: no other tab begins it again. */
  failed?: string;
}

/** A file in a conversation's messages. A conversation takes its files with it when it is deleted. */
export interface StoredFile {
  conversation: string;
  /** SHA-256 in hexadecimal digits. */
  hash: string;
  mime: string;
  /** The bytes as they came. A Blob of the database is read from the disk only when its bytes are needed. */
  blob: Blob;
}

/** A picture of a message that is not sent yet. */
export interface DraftPicture {
  part: FilePart;
  blob: Blob;
}

export interface Store {
  /** Whether writes outlast the page. */
  readonly isKept: boolean;
  conversations(): Promise<Conversation[]>;
  conversation(id: string): Promise<Conversation | undefined>;
  messages(conversation: string): Promise<Message[]>;
  files(conversation: string): Promise<StoredFile[]>;
  file(conversation: string, hash: string): Promise<StoredFile | undefined>;
  /** Visits all messages of all conversations one after another, until `visit` returns false. */
  scan(visit: (message: Message) => boolean): Promise<void>;
  /** Writes everything or nothing. */
  put(conversation: Conversation, messages: readonly Message[], files?: readonly StoredFile[]): Promise<void>;
  remove(conversation: string): Promise<void>;
  /** Returns the unsent text of a conversation; "" if there is none. */
  draft(conversation: string): Promise<string>;
  putDraft(conversation: string, text: string): Promise<void>;
  /** Returns the unsent pictures of a conversation. */
  draftPictures(conversation: string): Promise<readonly DraftPicture[]>;
  putDraftPictures(conversation: string, pictures: readonly DraftPicture[]): Promise<void>;
  /** Returns the transcripts of all recordings. */
  transcripts(): Promise<Transcript[]>;
  putTranscript(transcript: Transcript): Promise<void>;
  removeTranscript(key: string): Promise<void>;
}

interface Schema extends DBSchema {
  conversations: { key: string; value: Conversation };
  messages: { key: string; value: Message; indexes: { conversation: string } };
  drafts: { key: string; value: string };
  draftPictures: { key: string; value: readonly DraftPicture[] };
  files: { key: [string, string]; value: StoredFile; indexes: { conversation: string } };
  transcripts: { key: string; value: Transcript };
}

const NAME = "hearth";
/** Messages read at a time: one by one is slow, and all of them may exceed memory. */
const BATCH = 1000;
/**
 * Timeout for opening: some browsers never answer, such as an old WebKit at times, or any while an old page in another
 * tab holds the database.
 */
const OPEN_MS = 10_000;

export async function openStore(): Promise<Store> {
  const database = openDatabase();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      resolve(undefined);
    }, OPEN_MS);
  });
  const found = await Promise.race([database, late]).catch(() => undefined);
  clearTimeout(timer);
  if (found !== undefined) return new DatabaseStore(found);
  // A connection that opens late after all would block the next page without being used.
  void database.then(
    (db) => {
      db.close();
    },
    () => undefined,
  );
  return new MemoryStore();
}

/** Opens the database; rejects without IndexedDB, where `openDB` itself would throw. */
async function openDatabase(): Promise<IDBPDatabase<Schema>> {
  return await openDB<Schema>(NAME, VERSION, {
    upgrade: (db, from, _to, change) => upgrade(db, from, change),
    // A newer page in another tab wants to change the format.
    blocking: (_current, _blocked, event) => {
      (event.target as IDBDatabase | null)?.close();
    },
  });
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

  conversation(id: string): Promise<Conversation | undefined> {
    return this.#db.get("conversations", id);
  }

  draft(conversation: string): Promise<string> {
    return this.#db.get("drafts", conversation).then((text) => text ?? "");
  }

  async putDraft(conversation: string, text: string): Promise<void> {
    if (text === "") await this.#db.delete("drafts", conversation);
    else await this.#db.put("drafts", text, conversation);
  }

  async draftPictures(conversation: string): Promise<readonly DraftPicture[]> {
    return (await this.#db.get("draftPictures", conversation)) ?? [];
  }

  async putDraftPictures(conversation: string, pictures: readonly DraftPicture[]): Promise<void> {
    if (pictures.length === 0) await this.#db.delete("draftPictures", conversation);
    else await this.#db.put("draftPictures", pictures, conversation);
  }

  transcripts(): Promise<Transcript[]> {
    return this.#db.getAll("transcripts");
  }

  async putTranscript(transcript: Transcript): Promise<void> {
    await this.#db.put("transcripts", transcript);
  }

  removeTranscript(key: string): Promise<void> {
    return this.#db.delete("transcripts", key);
  }

  messages(conversation: string): Promise<Message[]> {
    return this.#db.getAllFromIndex("messages", "conversation", conversation);
  }

  files(conversation: string): Promise<StoredFile[]> {
    return this.#db.getAllFromIndex("files", "conversation", conversation);
  }

  file(conversation: string, hash: string): Promise<StoredFile | undefined> {
    return this.#db.get("files", [conversation, hash]);
  }

  async scan(visit: (message: Message) => boolean): Promise<void> {
    for (let from: IDBKeyRange | null = null; ;) {
      const some: Message[] = await this.#db.getAll("messages", from, BATCH);
      const last = some.at(-1);
      if (!some.every(visit) || last === undefined || some.length < BATCH) return;
      from = IDBKeyRange.lowerBound(last.id, true);
    }
  }

  async put(
    conversation: Conversation,
    messages: readonly Message[],
    files: readonly StoredFile[] = [],
  ): Promise<void> {
    const transaction = this.#db.transaction(["conversations", "messages", "files"], "readwrite");
    const all: Promise<unknown>[] = messages.map((message) => transaction.objectStore("messages").put(message));
    all.push(...files.map((file) => transaction.objectStore("files").put(file)));
    await Promise.all([...all, transaction.objectStore("conversations").put(conversation), transaction.done]);
  }

  async remove(conversation: string): Promise<void> {
    const transaction = this.#db.transaction(
      ["conversations", "messages", "drafts", "draftPictures", "files"],
      "readwrite",
    );
    const [messages, files] = [transaction.objectStore("messages"), transaction.objectStore("files")];
    const keys = await messages.index("conversation").getAllKeys(conversation);
    const all: Promise<unknown>[] = keys.map((key) => messages.delete(key));
    const hashes = await files.index("conversation").getAllKeys(conversation);
    all.push(...hashes.map((key) => files.delete(key)));
    all.push(transaction.objectStore("drafts").delete(conversation));
    all.push(transaction.objectStore("draftPictures").delete(conversation));
    await Promise.all([...all, transaction.objectStore("conversations").delete(conversation), transaction.done]);
  }
}

class MemoryStore implements Store {
  readonly isKept = false;
  readonly #conversations = new Map<string, Conversation>();
  readonly #messages = new Map<string, Map<string, Message>>();
  readonly #drafts = new Map<string, string>();
  readonly #draftPictures = new Map<string, readonly DraftPicture[]>();
  readonly #files = new Map<string, Map<string, StoredFile>>();
  readonly #transcripts = new Map<string, Transcript>();

  conversations(): Promise<Conversation[]> {
    return Promise.resolve([...this.#conversations.values()]);
  }

  conversation(id: string): Promise<Conversation | undefined> {
    return Promise.resolve(this.#conversations.get(id));
  }

  draft(conversation: string): Promise<string> {
    return Promise.resolve(this.#drafts.get(conversation) ?? "");
  }

  putDraft(conversation: string, text: string): Promise<void> {
    this.#drafts.set(conversation, text);
    return Promise.resolve();
  }

  draftPictures(conversation: string): Promise<readonly DraftPicture[]> {
    return Promise.resolve(this.#draftPictures.get(conversation) ?? []);
  }

  putDraftPictures(conversation: string, pictures: readonly DraftPicture[]): Promise<void> {
    this.#draftPictures.set(conversation, pictures);
    return Promise.resolve();
  }

  transcripts(): Promise<Transcript[]> {
    return Promise.resolve([...this.#transcripts.values()]);
  }

  putTranscript(transcript: Transcript): Promise<void> {
    this.#transcripts.set(transcript.key, transcript);
    return Promise.resolve();
  }

  removeTranscript(key: string): Promise<void> {
    this.#transcripts.delete(key);
    return Promise.resolve();
  }

  messages(conversation: string): Promise<Message[]> {
    return Promise.resolve([...(this.#messages.get(conversation)?.values() ?? [])]);
  }

  files(conversation: string): Promise<StoredFile[]> {
    return Promise.resolve([...(this.#files.get(conversation)?.values() ?? [])]);
  }

  file(conversation: string, hash: string): Promise<StoredFile | undefined> {
    return Promise.resolve(this.#files.get(conversation)?.get(hash));
  }

  scan(visit: (message: Message) => boolean): Promise<void> {
    for (const messages of this.#messages.values()) {
      for (const message of messages.values()) if (!visit(message)) return Promise.resolve();
    }
    return Promise.resolve();
  }

  put(conversation: Conversation, messages: readonly Message[], files: readonly StoredFile[] = []): Promise<void> {
    this.#conversations.set(conversation.id, conversation);
    const kept = this.#messages.get(conversation.id) ?? new Map<string, Message>();
    for (const message of messages) kept.set(message.id, message);
    this.#messages.set(conversation.id, kept);
    const all = this.#files.get(conversation.id) ?? new Map<string, StoredFile>();
    for (const file of files) all.set(file.hash, file);
    this.#files.set(conversation.id, all);
    return Promise.resolve();
  }

  remove(conversation: string): Promise<void> {
    this.#conversations.delete(conversation);
    this.#messages.delete(conversation);
    this.#files.delete(conversation);
    this.#drafts.delete(conversation);
    this.#draftPictures.delete(conversation);
    return Promise.resolve();
  }
}
