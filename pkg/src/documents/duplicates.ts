/** Near-duplicates: passages most of whose runs of three words are those of a better one. */
import { termsOf } from "./words.js";

const SHARE = 0.8;

export class Duplicates {
  readonly #kept: Set<string>[] = [];

  /** Returns whether a passage repeats one that was added before; adds it if not. */
  has(text: string): boolean {
    const terms = termsOf(text);
    const runs = new Set(
      terms.length < 3 ? [terms.join(" ")] : terms.slice(2).map((_, i) => terms.slice(i, i + 3).join(" ")),
    );
    const repeats = this.#kept.some((other) => {
      const [small, large] = runs.size < other.size ? [runs, other] : [other, runs];
      // A short passage within a long one says the same and less.
      const least = small === runs ? runs.size : Math.max(small.size, runs.size * SHARE);
      return least > 0 && [...small].filter((run) => large.has(run)).length >= SHARE * least;
    });
    if (!repeats) this.#kept.push(runs);
    return repeats;
  }
}
