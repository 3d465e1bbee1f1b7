/** Ends a request that goes quiet: no head, or no byte, for so many milliseconds. */
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

  /** For fetch: fires on a stall, and when the outer signal does. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Waits for one step of the request, no longer than the time allowed. */
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
    // The loser of the race may reject later; nobody listens then, and that is right.
    step.catch(() => undefined);
    try {
      return await Promise.race([step, timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the request if it still runs. */
  close(): void {
    this.#outer.removeEventListener("abort", this.#onAbort);
    this.#controller.abort();
  }
}
