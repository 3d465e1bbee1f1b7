/** Starts the worker that recognises speech. */
import { startFrom } from "../backend/worker-script.js";

/**
 * This module's address, in a variable: written out below, it would make bundlers take the worker for a second file.
 */
const HERE: string = import.meta.url;

export function startWorker(url: string | URL | undefined): Worker {
  const options = { type: "module", name: "hearth-audio" } as const;
  if (url !== undefined) return startFrom(() => new Worker(url, options), url, options.name);
  // Bundlers search for exactly this expression, so it must stay in one piece.
  const start = (): Worker =>
    new Worker(new URL("../audio-worker.js", import.meta.url), { type: "module", name: "hearth-audio" });
  return startFrom(start, new URL("../audio-worker.js", HERE), options.name);
}
