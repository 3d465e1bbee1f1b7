/** Aborts a request that goes silent: no response headers or no bytes for a number of milliseconds. */
import { HearthError } from "../core/errors.js";

export class Stall {
  readonly #controller = new AbortController();
  readonly #ms: number;
  readonly #outer: AbortSignal;
  readonly #onAbort = (): void => {
    this.#controller.abort(this.#outer.reason);
  };

  constructor(ms: number, outer: AbortSignal) {
    this.#ms = ms;
    this.#outer = outer;
    outer.addEventListener("abort", this.#onAbort, { once: true });
    if (outer.aborted) this.#onAbort();
  }

  /** Signal for fetch, which fires on a stall and with the outer signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Waits for one step of the request, but no longer than the limit. */
  async watch<T>(step: Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const error = new HearthError(
          "download_stalled",
          `the server sent nothing for ${String(Math.round(this.#ms / 100) / 10)} s`,
        );
        reject(error);
        this.#controller.abort(error);
      }, this.#ms);
    });
    // The loser of the race may reject later, which nothing handles, on purpose.
    step.catch(() => undefined);
    try {
      return await Promise.race([step, timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the request if it is still running. */
  close(): void {
    this.#outer.removeEventListener("abort", this.#onAbort);
    this.#controller.abort();
  }
}
