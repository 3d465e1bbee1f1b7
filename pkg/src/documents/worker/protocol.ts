/** Messages between the page and the worker that reads documents. One file is read at a time. */
import type { SerializedError } from "../../core/errors.js";
import type { SourceBytes } from "../ingest.js";
import type { Limits } from "../limits.js";
import type { StoredDocument } from "../store.js";
import type { AddProgress } from "../types.js";

/** A file to read. Functions cannot be sent, so its options are the plain ones. */
export interface ReadJob extends SourceBytes {
  limits: Limits;
  password: string | undefined;
  /** Absolute, since a worker has another base. */
  cMapUrl: string | undefined;
}

export type FromReader =
  /** The script has loaded. */
  | { type: "ready" }
  | { type: "progress"; progress: AddProgress }
  | { type: "done"; document: StoredDocument }
  | { type: "failed"; error: SerializedError };
