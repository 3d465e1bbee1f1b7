/** Databases as earlier versions of the page wrote them, opened by this one. */
import "fake-indexeddb/auto";
import { IDBFactory } from "fake-indexeddb";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openStore, type DraftPicture, type Store, type StoredFile } from "../src/store/db.js";
import type { Message } from "../src/store/tree.js";
import { message, said } from "./messages.js";

const CONVERSATION = { id: "c", title: "Hearths", created: 1, updated: 2, leaf: "b", system: "Be brief." };
const STATS = { tokens: 3, drafted: 1, rejected: 0, prompt: 5, cached: 2, firstToken: 0.5, tokensPerSecond: null };
const REST = { conversation: "c", reasoning: "", end: "stop", stats: null, model: "", created: 1 };
const OLD_MESSAGES = [
  { ...REST, id: "a", parent: null, role: "user", content: "What is a hearth? 🙂" },
  { ...REST, id: "b", parent: "a", role: "assistant", content: "A place.", reasoning: "Hm.", stats: STATS, model: "M" },
  // Another version of the answer, stopped before its first word, with a field that is known to nobody.
  { ...REST, id: "d", parent: "a", role: "assistant", content: "", end: "stopped", mood: "warm" },
  { ...REST, id: "e", conversation: "other", parent: null, role: "user", content: "Elsewhere" },
];

const NEW_MESSAGES = OLD_MESSAGES.map(({ content, ...others }) => ({ ...others, parts: said(content) }));
const OLD_FILE = { conversation: "c", hash: "f1", mime: "image/png", bytes: Uint8Array.of(1, 2, 255).buffer };

const { bytes: BYTES, ...PLACE } = OLD_FILE;
const BLOB_FILE = { ...PLACE, blob: new Blob([BYTES], { type: OLD_FILE.mime }) };

/** Writes a database exactly as the page of that version did, which is no longer in the sources. */
async function writeOld(version: 1 | 2 | 3 | 4): Promise<void> {
  const request = indexedDB.open("hearth", version);
  await new Promise<void>((resolve, reject) => {
    request.onupgradeneeded = () => {
      const db = request.result;
      db.createObjectStore("conversations", { keyPath: "id" });
      db.createObjectStore("messages", { keyPath: "id" }).createIndex("conversation", "conversation");
      if (version >= 2) db.createObjectStore("drafts");
      if (version < 3) return;
      db.createObjectStore("files", { keyPath: ["conversation", "hash"] }).createIndex("conversation", "conversation");
      if (version === 4) db.createObjectStore("draftPictures");
    };
    request.onerror = () => {
      reject(new Error("the old database was not written"));
    };
    request.onsuccess = () => {
      const stores = [...request.result.objectStoreNames];
      const transaction = request.result.transaction(stores, "readwrite");
      transaction.objectStore("conversations").put(CONVERSATION);
      for (const old of version >= 3 ? NEW_MESSAGES : OLD_MESSAGES) transaction.objectStore("messages").put(old);
      if (version >= 2) transaction.objectStore("drafts").put("And a st", "c");
      if (version === 3) transaction.objectStore("files").put(OLD_FILE);
      if (version === 4) transaction.objectStore("files").put(BLOB_FILE);
      transaction.oncomplete = () => {
        request.result.close();
        resolve();
      };
    };
  });
}

/** Returns files with their bytes, which comparisons would not see in a Blob. */
const opened = (files: readonly { blob: Blob }[]): Promise<object[]> =>
  Promise.all(files.map(async ({ blob, ...file }) => ({ ...file, type: blob.type, bytes: await bytesOf(blob) })));
const bytesOf = async (blob: Blob): Promise<number[]> => [...new Uint8Array(await blob.arrayBuffer())];

async function contents(store: Store): Promise<unknown> {
  const all: Message[] = [];
  await store.scan((one) => all.push(one) > 0);
  return { conversations: await store.conversations(), messages: all, draft: await store.draft("c") };
}

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe("a database of an earlier version", () => {
  it.each([1, 2, 3, 4] as const)("is opened with all that is in it: version %i", async (version) => {
    await writeOld(version);
    const store = await openStore();
    expect(store.isKept).toBe(true);
    expect(await contents(store)).toEqual({
      conversations: [CONVERSATION],
      messages: NEW_MESSAGES,
      draft: version === 1 ? "" : "And a st",
    });
    expect(await store.messages("c")).toEqual(NEW_MESSAGES.slice(0, 3));
    const { bytes, ...file } = OLD_FILE;
    const files = version >= 3 ? [{ ...file, type: "image/png", bytes: [...new Uint8Array(bytes)] }] : [];
    expect(await opened(await store.files("c"))).toEqual(files);
    expect(await store.draftPictures("c")).toEqual([]);
    expect(await store.transcripts()).toEqual([]);
    // It is upgraded once.
    expect(await contents(await openStore())).toEqual(await contents(store));
  });

  it("is left as it was by an upgrade that fails, and upgraded by the next page", async () => {
    await writeOld(2);
    const update = vi.spyOn(IDBCursor.prototype, "update");
    update.mockImplementationOnce(() => {
      throw new Error("the disk is full");
    });
    expect((await openStore()).isKept).toBe(false);
    update.mockRestore();
    const store = await openStore();
    expect(store.isKept).toBe(true);
    expect(await contents(store)).toMatchObject({ messages: NEW_MESSAGES, draft: "And a st" });
  });
});

describe.each(["on the disk", "in memory"])("a store %s", (place) => {
  const file = (conversation: string, hash: string): StoredFile => ({
    conversation,
    hash,
    mime: "image/png",
    blob: new Blob([Uint8Array.of(1, 2, 255)], { type: "image/png" }),
  });
  const picture = { type: "image", file: "f1", name: "cat.png", mime: "image/png" } as const;

  it("keeps files with their conversation, and deletes them with it", async () => {
    if (place === "in memory") vi.stubGlobal("indexedDB", undefined);
    const store = await openStore();
    expect(store.isKept).toBe(place === "on the disk");
    const asked = { ...message("a", null), parts: [picture, ...said("What is this?")] };
    await store.put(CONVERSATION, [asked], [file("c", "f1"), file("c", "f2")]);
    // Another conversation has the same picture.
    await store.put({ ...CONVERSATION, id: "other" }, [], [file("other", "f1")]);
    expect(await store.messages("c")).toEqual([asked]);
    expect(await opened(await store.files("c"))).toEqual(await opened([file("c", "f1"), file("c", "f2")]));
    const { blob = new Blob() } = (await store.file("c", "f2")) ?? {};
    expect([blob.type, await bytesOf(blob)]).toEqual(["image/png", [1, 2, 255]]);
    expect(await store.file("c", "f3")).toBeUndefined();
    await store.remove("c");
    expect([await store.messages("c"), await store.files("c")]).toEqual([[], []]);
    expect(await opened(await store.files("other"))).toEqual(await opened([file("other", "f1")]));
  });

  it("keeps transcripts by themselves", async () => {
    if (place === "in memory") vi.stubGlobal("indexedDB", undefined);
    const store = await openStore();
    const segments = [{ start: 0, end: 4.2, text: " It was the best of times," }];
    const transcript = {
      key: "r",
      name: "tale.wav",
      size: 16,
      added: 1,
      isWhole: false,
      segments,
      language: "english",
    };
    await store.putTranscript(transcript);
    await store.putTranscript({ ...transcript, isWhole: true });
    await store.putTranscript({ ...transcript, key: "s" });
    expect(await store.transcripts()).toEqual([
      { ...transcript, isWhole: true },
      { ...transcript, key: "s" },
    ]);
    await store.removeTranscript("s");
    expect(await store.transcripts()).toHaveLength(1);
  });

  it("keeps the pictures of a draft, and deletes them with their conversation", async () => {
    if (place === "in memory") vi.stubGlobal("indexedDB", undefined);
    const store = await openStore();
    const draft: DraftPicture[] = [{ part: picture, blob: file("c", "f1").blob }];
    await store.putDraftPictures("c", draft);
    await store.putDraftPictures("", draft);
    expect(await opened(await store.draftPictures("c"))).toEqual(await opened(draft));
    await store.remove("c");
    expect(await store.draftPictures("c")).toEqual([]);
    expect(await store.draftPictures("")).toHaveLength(1);
    await store.putDraftPictures("", []);
    expect(await store.draftPictures("")).toEqual([]);
  });
});
