/** Rules for retrying a download. */
import { cancelled, throwIfAborted } from "../core/errors.js";

const FIRST_MS = 250;
const LONGEST_MS = 4_000;
const LONGEST_RETRY_AFTER_MS = 30_000;
/** Limits on waiting for a host that had answered (`GAP`), and for a network (`OFFLINE`). */
const LONGEST_GAP_MS = 120_000;
const LONGEST_OFFLINE_MS = 600_000;

/**
 * Returns the delay before an attempt: 250 ms to 4 s, doubling, unless the server asked for a delay, in milliseconds.
 */
export function retryDelay(fruitless: number, asked: number): number {
  if (asked > 0) return Math.min(asked, LONGEST_RETRY_AFTER_MS);
  return Math.min(FIRST_MS * 2 ** Math.max(fruitless - 1, 0), LONGEST_MS);
}

/**
 * Returns the delay that Retry-After asks for, in milliseconds; the header has seconds or a date (RFC 9110, 10.2.3). 0
 * if it asks for none.
 */
export function retryAfter(headers: Headers): number {
  const asked = headers.get("Retry-After") ?? "";
  const seconds = Number(asked);
  if (!Number.isNaN(seconds)) return seconds * 1000;
  // Uses the server's clock if available: the visitor's may be wrong.
  const clock = Date.parse(headers.get("Date") ?? "");
  const wait = Date.parse(asked) - (Number.isNaN(clock) ? Date.now() : clock);
  return Number.isNaN(wait) ? 0 : wait;
}

/** Hosts that have answered this worker: they exist, so a failure is the network's. */
const answered = new Set<string>();

/**
 * Decides how long a download continues without a network. A refused connection fails at once, so counting attempts is
 * no measure: a change of network or a sleeping laptop takes seconds to minutes. A host that never answered may not
 * exist at all.
 */
export class Patience {
  readonly #host: string;
  readonly #isLong: boolean;
  readonly #signal: AbortSignal;
  #since = Date.now();

  constructor(url: string, isLong: boolean, signal: AbortSignal) {
    this.#host = new URL(url).host;
    this.#isLong = isLong;
    this.#signal = signal;
  }

  answered(): void {
    answered.add(this.#host);
  }

  /** Restarts the period. */
  renew(): void {
    this.#since = Date.now();
  }

  /** Whether another attempt is worthwhile, regardless of their number. */
  get lasts(): boolean {
    return this.#isLong && answered.has(this.#host) && Date.now() - this.#since < LONGEST_GAP_MS;
  }

  /** Waits for the browser to be online if it reports being offline; returns false if there is nothing to wait for. */
  async waitForNetwork(): Promise<boolean> {
    const { navigator } = globalThis as { navigator?: { onLine?: boolean } };
    if (navigator?.onLine !== false || !answered.has(this.#host)) return false;
    const online = new AbortController();
    const wake = (): void => {
      online.abort();
    };
    globalThis.addEventListener("online", wake);
    try {
      await sleep(LONGEST_OFFLINE_MS, AbortSignal.any([online.signal, this.#signal]));
      return false;
    } catch {
      throwIfAborted(this.#signal);
      this.renew();
      return true;
    } finally {
      globalThis.removeEventListener("online", wake);
    }
  }
}

/** Sleeps; rejects with `cancelled` if the signal fires first. */
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
