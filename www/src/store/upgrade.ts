/**
 * The versions of the database. Each step changes what the version before it wrote, so a page of any age keeps its
 * conversations. A step is never edited once it was released; `www/test/upgrade.test.ts` has a database of each version.
 */
import type { DBSchema, IDBPDatabase, IDBPTransaction, StoreNames } from "idb";
import { textPart } from "./parts.js";

type Change = IDBPTransaction<unknown, string[], "versionchange">;

const STEPS: readonly ((db: IDBPDatabase, change: Change) => void | Promise<void>)[] = [
  function conversations(db) {
    db.createObjectStore("conversations", { keyPath: "id" });
    db.createObjectStore("messages", { keyPath: "id" }).createIndex("conversation", "conversation");
  },
  function drafts(db) {
    db.createObjectStore("drafts");
  },
  async function partsAndFiles(db, change) {
    const files = db.createObjectStore("files", { keyPath: ["conversation", "hash"] });
    files.createIndex("conversation", "conversation");
    for (let at = await change.objectStore("messages").openCursor(); at !== null; at = await at.continue()) {
      const { content, ...message } = at.value as { content: string };
      await at.update({ ...message, parts: content ? [textPart(content)] : [] });
    }
  },
  async function blobsAndDraftPictures(db, change) {
    db.createObjectStore("draftPictures");
    for (let at = await change.objectStore("files").openCursor(); at !== null; at = await at.continue()) {
      const { bytes, ...file } = at.value as { bytes: ArrayBuffer; mime: string };
      await at.update({ ...file, blob: new Blob([bytes], { type: file.mime }) });
    }
  },
  function transcripts(db) {
    db.createObjectStore("transcripts", { keyPath: "key" });
  },
];

export const VERSION = STEPS.length;

/** Brings a database of version `from` (0 if it is new) to the current version, or leaves it as it was. */
export async function upgrade<Schema extends DBSchema>(
  db: IDBPDatabase<Schema>,
  from: number,
  change: IDBPTransaction<Schema, StoreNames<Schema>[], "versionchange">,
): Promise<void> {
  // Reported to the caller of `openDB` as well.
  change.done.catch(() => undefined);
  try {
    for (const step of STEPS.slice(from)) {
      // A step knows the stores of its own time, not today's.
      await step(db as unknown as IDBPDatabase, change as unknown as Change);
    }
  } catch {
    // Half an upgrade would be saved otherwise.
    change.abort();
  }
}
