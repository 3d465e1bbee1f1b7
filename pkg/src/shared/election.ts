/**
 * The election of the tab that has the model: it holds a Web Lock for which the others queue. The browser passes the
 * lock on when the tab closes or crashes; a tab that is frozen keeps it, until another one steals it.
 */
import type { Place } from "./place.js";

export interface Candidate {
  /** Called when this tab holds the lock; `isStolen` if the tab that held it before may still be there. */
  elected(isStolen: boolean): void;
  /** Called when another tab has stolen the lock. */
  deposed(): void;
}

export class Election {
  readonly #locks: NonNullable<Place["locks"]>;
  readonly #name: string;
  readonly #candidate: Candidate;
  /** Ends the place in the queue. */
  #queued = new AbortController();
  #release: (() => void) | undefined;

  constructor(locks: NonNullable<Place["locks"]>, name: string, candidate: Candidate) {
    this.#locks = locks;
    this.#name = name;
    this.#candidate = candidate;
  }

  /** Queues for the lock. */
  stand(): void {
    this.#queued = new AbortController();
    this.#request({ signal: this.#queued.signal });
  }

  /**
   * Takes the lock from the tab that holds it, if that still `isNeeded` in this tab's turn: two tabs that did so at the
   * same time would depose each other.
   */
  async steal(isNeeded: () => boolean): Promise<void> {
    await this.#locks.request(`${this.#name}:steal`, { ifAvailable: true }, async (turn) => {
      if (turn === null || this.#release !== undefined || !isNeeded()) return;
      this.#queued.abort();
      await new Promise<void>((resolve) => {
        this.#request({ steal: true }, resolve);
      });
    });
  }

  /** Leaves the queue, and gives the lock back. */
  withdraw(): void {
    this.#queued.abort();
    this.#release?.();
    this.#release = undefined;
  }

  #request(options: LockOptions, onGranted?: () => void): void {
    let own: (() => void) | undefined;
    this.#locks
      .request(this.#name, options, () => {
        onGranted?.();
        // The request may have been granted just before it was taken back.
        if (options.signal?.aborted === true) return undefined;
        return new Promise<void>((resolve) => {
          this.#release = own = resolve;
          this.#candidate.elected(options.steal === true);
        });
      })
      .catch(() => {
        onGranted?.();
        if (own === undefined || own !== this.#release) return;
        this.#release = undefined;
        this.#candidate.deposed();
      });
  }
}
