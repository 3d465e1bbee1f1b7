/** Sound of the last seconds, by the samples' numbers from the first one. */
export class Recording {
  #blocks: { at: number; samples: Float32Array }[] = [];
  #end = 0;

  /** Number of samples so far. */
  get end(): number {
    return this.#end;
  }

  push(samples: Float32Array): void {
    this.#blocks.push({ at: this.#end, samples });
    this.#end += samples.length;
  }

  /** Returns a copy of samples that are still there. */
  slice(from: number, to: number): Float32Array {
    const copy = new Float32Array(Math.max(0, to - from));
    for (const { at, samples } of this.#blocks) {
      const part = samples.subarray(Math.max(0, from - at), Math.max(0, to - at));
      if (part.length > 0) copy.set(part, Math.max(0, at - from));
    }
    return copy;
  }

  /** Forgets the blocks that end before a sample. */
  forget(before: number): void {
    this.#blocks = this.#blocks.filter(({ at, samples }) => at + samples.length > before);
  }
}
