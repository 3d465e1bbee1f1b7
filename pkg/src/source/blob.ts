/** A File or Blob, read slice by slice so that it is never in memory as a whole. */
import { HearthError, throwIfAborted } from "../core/errors.js";
import type { ByteSource } from "./source.js";

const SLICE_BYTES = 4 * 1024 * 1024;

export function blobSource(blob: Blob, signal: AbortSignal): ByteSource {
  return {
    total: blob.size,
    async *chunks() {
      for (let start = 0; start < blob.size; start += SLICE_BYTES) {
        throwIfAborted(signal);
        yield await read(blob.slice(start, start + SLICE_BYTES));
      }
    },
  };
}

async function read(slice: Blob): Promise<Uint8Array> {
  try {
    return new Uint8Array(await slice.arrayBuffer());
  } catch (cause) {
    // The usual reason: the file on disk changed or went away after it was chosen.
    throw new HearthError("io_error", "reading the file failed", { cause });
  }
}
