/** Messages between the page and a worker that reads documents or finds their passages by words. */
import type { SerializedError } from "../../core/errors.js";
import type { SourceBytes } from "../ingest.js";
import type { Limits } from "../limits.js";
import type { StoredDocument } from "../store.js";
import type { AddProgress } from "../types.js";
import type { Entry, Scored } from "../words.js";

/** A file to read; one at a time. Functions cannot be sent, so its options are the plain ones. */
export interface ReadJob extends SourceBytes {
  type: "read";
  limits: Limits;
  password: string | undefined;
  /** Absolute, since a worker has another base. */
  cMapUrl: string | undefined;
}

/** A call to the worker's index of words; `call` numbers those that are answered. */
export type WordsCall =
  | { type: "add"; call: number; entries: Entry[] }
  | { type: "search"; call: number; query: string }
  | { type: "remove"; ids: number[] };

export type FromReader =
  /** The script has loaded. */
  | { type: "ready" }
  | { type: "progress"; progress: AddProgress }
  | { type: "done"; document: StoredDocument }
  | { type: "failed"; error: SerializedError }
  /** Answer to a call: all passages that a search found, the best first. */
  | { type: "found"; call: number; found: Scored[] };
