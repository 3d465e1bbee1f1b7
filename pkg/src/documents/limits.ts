/** Limits on what a file may take, and the watch over one that stops. */
import { cancelled, HearthError, throwIfAborted } from "../core/errors.js";

export interface Limits {
  /** Bytes of a file. Default 64 MiB. */
  bytes: number;
  /** Pages of a PDF. Default 5000. */
  pages: number;
  /** Bytes that a zip archive (DOCX) may unpack to. Default 200 MiB. */
  unpacked: number;
  /** Unpacked bytes for each packed one, counted beyond the first MiB. Default 200. */
  ratio: number;
  /** Characters of a document's text. Default 32 Mi. */
  characters: number;
  /** Milliseconds without progress after which a file is given up. Default 20000. */
  stallMs: number;
}

export const LIMITS: Limits = {
  bytes: 64 << 20,
  pages: 5000,
  unpacked: 200 << 20,
  ratio: 200,
  characters: 32 << 20,
  stallMs: 20_000,
};

/** Returns the error of a document beyond a limit. */
export function tooLarge(name: string, what: string, most: number, found: number | string): HearthError {
  return new HearthError(
    "document_too_large",
    `${name} is too large: ${what} may be at most ${String(most)}, found ${String(found)}`,
  );
}

/** Returns the error of a document that does not follow its format. */
export function damaged(name: string, why: string, cause?: unknown): HearthError {
  return new HearthError("document_damaged", `${name} cannot be read: ${why}`, { cause });
}

/** Waits for one step of reading a file, at most as long as it may stay without progress. */
export async function step<T>(
  name: string,
  stallMs: number,
  signal: AbortSignal | undefined,
  work: Promise<T>,
): Promise<T> {
  throwIfAborted(signal);
  let end: (() => void) | undefined;
  const stop = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => {
      reject(new HearthError("document_stalled", `${name} was given up: no progress for ${String(stallMs)} ms`));
    }, stallMs);
    const onAbort = (): void => {
      reject(cancelled(signal?.reason));
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
  });
  // Work that is given up may still fail, with nobody to hear of it.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, stop]);
  } finally {
    end?.();
  }
}
