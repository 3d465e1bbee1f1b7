/** Speed and remaining time of a download, measured over its last few seconds. */

const WINDOW_MS = 4000;

export class SpeedMeter {
  readonly #samples: { at: number; bytes: number }[] = [];

  add(bytes: number, at = performance.now()): void {
    this.#samples.push({ at, bytes });
    while (this.#samples.length > 2 && at - (this.#samples[0]?.at ?? at) > WINDOW_MS) this.#samples.shift();
  }

  /** Bytes per second, or undefined while there is too little data. */
  get speed(): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at - first.at < 200) return undefined;
    return ((last.bytes - first.bytes) * 1000) / (last.at - first.at);
  }
}
