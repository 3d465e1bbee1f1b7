/** Starts the worker for documents. */
import { startFrom } from "../../backend/worker-script.js";

export interface DocumentsWorkerOptions {
  /** Address of the package's `documents-worker.js`. Default: found by the bundler, or next to this module. */
  workerUrl?: string | URL;
}

/**
 * This module's address, in a variable: written out below, it would make bundlers take the worker for a second file.
 */
const HERE: string = import.meta.url;

export function startWorker(url: string | URL | undefined): Worker {
  const options = { type: "module", name: "hearth-documents" } as const;
  if (url !== undefined) return startFrom(() => new Worker(url, options), url, options.name);
  // Bundlers search for exactly this expression, so it must stay in one piece.
  const start = (): Worker =>
    new Worker(new URL("../../documents-worker.js", import.meta.url), { type: "module", name: "hearth-documents" });
  return startFrom(start, new URL("../../documents-worker.js", HERE), options.name);
}
