/** The clock that notices a leader which no longer answers, while something waits for it. */

/** A leader that has said nothing for this long is asked for a sign; after as long again it is replaced. */
export const QUIET_MS = 2500;

export class Watch {
  readonly #ask: () => void;
  readonly #onSilent: () => void;
  #waiting = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heard = 0;
  /** Number of signs asked for in vain; twice that where this tab was awake meanwhile. */
  #missed = 0;
  #hasAsked = false;

  /** Creates the clock, which asks for a sign by `ask`, and calls `onSilent` if there is none. */
  constructor(ask: () => void, onSilent: () => void) {
    this.#ask = ask;
    this.#onSilent = onSilent;
  }

  /** Notes that something waits for the leader, until `end` is called as often. */
  begin(): void {
    if (this.#waiting++ > 0) return;
    this.heard();
    this.#wait();
  }

  end(): void {
    if (--this.#waiting === 0) clearTimeout(this.#timer);
  }

  /** Notes a sign of the leader. */
  heard(): void {
    this.#heard = Date.now();
    this.#missed = 0;
    this.#hasAsked = false;
  }

  #wait(): void {
    const due = Date.now() + QUIET_MS;
    this.#timer = setTimeout(() => {
      const now = Date.now();
      if (this.#hasAsked) {
        // A late timer means that this tab slept: the leader's answer may wait behind it, so it gets another chance.
        this.#missed += now - due > QUIET_MS ? 1 : 2;
        this.#hasAsked = false;
      }
      if (this.#missed >= 2) {
        this.heard();
        this.#onSilent();
      } else if (now - this.#heard >= QUIET_MS) {
        this.#hasAsked = true;
        this.#ask();
      }
      this.#wait();
    }, QUIET_MS);
  }
}
