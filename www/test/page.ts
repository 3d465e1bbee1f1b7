/** Pages without a screen: the state modules, loaded as a browser tab loads them, on a disk that all tabs share. */
import { expect, vi } from "vitest";
import type { Backend } from "hearth-llm";
import type { Store } from "../src/store/db.js";
import { fakeLocks } from "./locks.js";

type Chat = typeof import("../src/state/chat.js");
type Settings = typeof import("../src/state/settings.js");
type Sampling = typeof import("../src/state/sampling.js");

export interface Page {
  chat: Chat;
  settings: Settings;
  sampling: Sampling;
  /** Makes this backend the running one. */
  use: (backend: Backend, source?: string) => void;
}

let disk: Store | undefined;
let locks: LockManager | undefined;

/** Starts with an empty disk, as on another visitor's machine. */
export function emptyDisk(): void {
  disk = undefined;
  locks = undefined;
}

/** Gives Web Locks to all tabs opened from now on; returns a function that gives up those held, as a closed tab does. */
export function useLocks(): () => void {
  const fake = fakeLocks();
  locks = fake.locks;
  return fake.giveUp;
}

/** Returns the contents of the disk. */
export function kept(): Store {
  if (disk === undefined) throw new Error("no page has opened the disk");
  return disk;
}

/** Opens a new tab at this address. The previous one continues as long as the test uses it. */
export async function openPage(search = ""): Promise<Page> {
  vi.resetModules();
  vi.stubGlobal("location", { search, origin: "https://page.test", href: `https://page.test/${search}` });
  const listeners = { addEventListener: () => undefined, removeEventListener: () => undefined };
  vi.stubGlobal("document", { baseURI: "https://page.test/", documentElement: { dataset: {} }, ...listeners });
  vi.stubGlobal("navigator", { language: "en", locks });
  vi.doMock(import("../src/store/db.js"), async (original) => {
    const actual = await original();
    // Without IndexedDB the store is the page's memory, which here outlasts the page.
    return { ...actual, openStore: async () => ({ ...methods((disk ??= await actual.openStore())), isKept: true }) };
  });
  // One import alone applies the mocks that wait: several at once would each do so, one after another's.
  await import("../src/store/db.js");
  const [chat, model, settings, sampling] = await Promise.all([
    import("../src/state/chat.js"),
    import("../src/state/model.js"),
    import("../src/state/settings.js"),
    import("../src/state/sampling.js"),
  ]);
  await chat.openConversations();
  expect(chat.isKept.value).toBe(true);
  return {
    chat,
    settings,
    sampling,
    use: (backend, source = "fake") => {
      model.model.value = { name: "running", choice: { source, options: {} }, backend };
    },
  };
}

/** Returns the store's methods, passing copies in and out, as a disk does. */
function methods(store: Store): Omit<Store, "isKept"> {
  return {
    conversations: async () => structuredClone(await store.conversations()),
    conversation: async (id) => structuredClone(await store.conversation(id)),
    draft: (id) => store.draft(id),
    putDraft: (id, text) => store.putDraft(id, text),
    messages: async (id) => structuredClone(await store.messages(id)),
    files: async (id) => structuredClone(await store.files(id)),
    file: async (id, hash) => structuredClone(await store.file(id, hash)),
    draftPictures: async (id) => structuredClone(await store.draftPictures(id)),
    putDraftPictures: (id, pictures) => store.putDraftPictures(id, structuredClone(pictures)),
    transcripts: async () => structuredClone(await store.transcripts()),
    putTranscript: (transcript) => store.putTranscript(structuredClone(transcript)),
    removeTranscript: (key) => store.removeTranscript(key),
    scan: (visit) => store.scan(visit),
    put: (conversation, messages, files) =>
      store.put(structuredClone(conversation), structuredClone(messages), structuredClone(files)),
    remove: (id) => store.remove(id),
  };
}
