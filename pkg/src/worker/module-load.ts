/** Worker side: streams weights into a module beside the core; a file is never in memory as a whole. */
import { throwIfAborted } from "../core/errors.js";
import type { LoadProgress } from "../core/protocol.js";
import { coalesce, type ByteSource } from "../source/index.js";
import { ProgressMeter } from "./progress.js";
import { yieldToEventLoop } from "./yield.js";

/** Gives all bytes of the sources, in order, to `push`; returns their number. */
export async function pushAll(
  sources: readonly ByteSource[],
  push: (chunk: Uint8Array) => void | Promise<void>,
  signal: AbortSignal,
  report: (progress: LoadProgress) => void,
): Promise<number> {
  const meter = new ProgressMeter(report);
  let received = 0;
  async function* counted(): AsyncGenerator<Uint8Array, void, void> {
    for (const source of sources) {
      for await (const piece of source.chunks()) {
        received += piece.length;
        // The length of several files is known only when the last one has begun.
        meter.update({ phase: "download", loaded: received, total: sources.length === 1 ? (source.total ?? 0) : 0 });
        yield piece;
      }
    }
  }
  for await (const chunk of coalesce(counted())) {
    await push(chunk);
    // A file on disk comes without a pause in which the page's messages could be read.
    await yieldToEventLoop();
    throwIfAborted(signal);
  }
  return received;
}
