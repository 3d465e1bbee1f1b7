/** Starts the worker that translates. */
import { startFrom } from "../backend/worker-script.js";

/**
 * This module's address, in a variable: written out below, it would make bundlers take the worker for a second file.
 */
const HERE: string = import.meta.url;

export function startWorker(url: string | URL | undefined): Worker {
  const options = { type: "module", name: "hearth-translation" } as const;
  if (url !== undefined) return startFrom(() => new Worker(url, options), url, options.name);
  // Bundlers search for exactly this expression, so it must stay in one piece.
  const start = (): Worker =>
    new Worker(new URL("../translation-worker.js", import.meta.url), { type: "module", name: "hearth-translation" });
  return startFrom(start, new URL("../translation-worker.js", HERE), options.name);
}
