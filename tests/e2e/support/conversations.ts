/** Conversations as files in the page's own format, for texts that a real model would not produce on request. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Chat } from "./chat.js";

interface Said {
  user: string;
  assistant: string;
  reasoning?: string;
}

/** Creation time of all of them: any fixed time. */
const TIME = Date.UTC(2026, 0, 2, 3, 4, 5);

const folder = mkdtempSync(join(tmpdir(), "hearth-e2e-"));
process.once("exit", () => {
  rmSync(folder, { recursive: true, force: true });
});

/** Writes a file with one conversation; returns its path. */
export function conversationFile(title: string, turns: readonly Said[]): string {
  const messages: object[] = [];
  let parent: string | null = null;
  const add = (role: string, content: string, reasoning: string): void => {
    const id = `m${String(messages.length)}`;
    const created = TIME + messages.length;
    messages.push({ id, parent, role, content, reasoning, end: "stop", stats: null, model: "", created });
    parent = id;
  };
  for (const { user, assistant, reasoning = "" } of turns) {
    add("user", user, "");
    add("assistant", assistant, reasoning);
  }
  const conversation = { id: "c", title, created: TIME, updated: TIME, leaf: parent, system: "", messages };
  const path = join(folder, `${title.replace(/\W+/g, "-")}.json`);
  writeFileSync(path, JSON.stringify({ format: "hearth-conversations", version: 1, conversations: [conversation] }));
  return path;
}

/** Imports conversations as a person would, and waits until the last one is open. */
export async function importConversation(chat: Chat, title: string, turns: readonly Said[]): Promise<void> {
  await chat.tab.setFile("#import", conversationFile(title, turns));
  await chat.tab.waitVisible(".message.assistant", 120_000);
}

export interface KeptMessage {
  id: string;
  role: string;
  content: string;
  parent: string | null;
  end: string;
  stats: { prompt: number; cached: number } | null;
  places?: { where: string; server?: string }[];
}

/** Returns the messages in IndexedDB, each with the text of its parts as `content`. */
export async function keptMessages(chat: Chat): Promise<KeptMessage[]> {
  type Kept = Omit<KeptMessage, "content"> & { parts: { text?: string }[] };
  const kept = await keptAll<Kept>(chat, "messages");
  return kept.map((message) => ({ ...message, content: message.parts.map(({ text = "" }) => text).join("") }));
}

/** Returns the drafts of all conversations. */
export function keptDrafts(chat: Chat): Promise<string[]> {
  return keptAll(chat, "drafts");
}

/** Returns all values of a store. */
export function keptAll<T>(chat: Chat, store: string): Promise<T[]> {
  return chat.tab.evaluate(
    (store) =>
      new Promise<T[]>((resolve, reject) => {
        const request = indexedDB.open("hearth");
        request.onerror = () => {
          reject(new Error("no database"));
        };
        request.onsuccess = () => {
          const all = request.result.transaction(store).objectStore(store).getAll();
          all.onsuccess = () => {
            request.result.close();
            resolve(all.result as T[]);
          };
        };
      }),
    store,
  );
}

/** Titles of the conversations in the sidebar, newest first. */
export const titles = (chat: Chat): Promise<string[]> =>
  chat.tab.evaluate(
    () => [...document.querySelectorAll<HTMLElement>("#conversations .entry-title > span")].map((e) => e.innerText),
    null,
  );
