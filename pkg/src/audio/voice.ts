/** Asks the worker where somebody speaks, in as many samples at once as have come while it was busy. */
import type { Speech } from "./link.js";

let streams = 0;

export class Voice {
  readonly #speech: Speech;
  readonly #rate: number;
  readonly #patience: number;
  readonly #stream = ++streams;
  #waiting: Float32Array[] = [];
  #found: number[] = [];
  #asking: Promise<void> | undefined;
  #hasFailed = false;

  /** Creates one for sound of `rate` samples a second. `patience`: seconds of it that may wait for the worker. */
  constructor(speech: Speech, rate: number, patience: number) {
    this.#speech = speech;
    this.#rate = rate;
    this.#patience = patience;
  }

  /**
   * Takes the next samples; returns the probabilities of speech that have become known, a number for each 32 ms from the beginning.
   * Returns undefined once the worker cannot tell. Does not reject.
   */
  async hear(samples: Float32Array): Promise<number[] | undefined> {
    this.#waiting.push(samples);
    this.#begin();
    const late = this.#waiting.reduce((sum, { length }) => sum + length, 0);
    if (late >= this.#patience * this.#rate) await this.#asking;
    return this.#take();
  }

  /** Waits until everything was heard. */
  async finish(): Promise<number[] | undefined> {
    for (;;) {
      this.#begin();
      if (this.#asking === undefined) return this.#take();
      await this.#asking;
    }
  }

  /** Lets the worker forget the stream. */
  close(): void {
    this.#waiting = [];
    void this.#speech.forget(this.#stream).catch(() => undefined);
  }

  #take(): number[] | undefined {
    if (this.#hasFailed) return undefined;
    const found = this.#found;
    this.#found = [];
    return found;
  }

  #begin(): void {
    if (this.#waiting.length === 0 || this.#hasFailed) return;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
  }

  async #ask(): Promise<void> {
    try {
      while (this.#waiting.length > 0 && !this.#hasFailed) {
        const samples = joined(this.#waiting);
        this.#waiting = [];
        const found = await this.#speech.hear(this.#stream, { samples, sampleRate: this.#rate });
        for (const probability of found) this.#found.push(probability);
      }
    } catch {
      this.#hasFailed = true;
    }
  }
}

function joined(blocks: Float32Array[]): Float32Array {
  const all = new Float32Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const block of blocks) {
    all.set(block, at);
    at += block.length;
  }
  return all;
}
