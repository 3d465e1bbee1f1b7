/** When to try a download again. */
import { cancelled } from "../errors.js";

const FIRST_MS = 250;
const LONGEST_MS = 4_000;
const LONGEST_RETRY_AFTER_MS = 30_000;

/** Doubles from 250 ms to 4 s; a server's Retry-After (in seconds) comes first. */
export function retryDelay(fruitless: number, retryAfter: number): number {
  if (retryAfter > 0) return Math.min(retryAfter * 1000, LONGEST_RETRY_AFTER_MS);
  return Math.min(FIRST_MS * 2 ** Math.max(fruitless - 1, 0), LONGEST_MS);
}

/** Rejects with `cancelled` when the signal fires first. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(cancelled(signal.reason));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
