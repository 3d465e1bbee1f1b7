/** Passages near one another in a section, which are about one thing wherever its text was cut. */
import type { Held } from "./held.js";

/** Weight of the cosine of a passage beside another one, whose own weighs 1. */
const BESIDE = 0.25;
/** Passages around a found one that a list leaves to its neighbours. */
const REACH = 4;

/**
 * Returns cosines to which the passages beside each in its section contribute. Passages do not overlap, so that a
 * sentence that says what the next ones are about is often in another one.
 */
export function withNeighbours(held: Held, cosines: Float32Array): Float32Array {
  const sums = Float32Array.from(cosines);
  const weights = new Float32Array(cosines.length).fill(1);
  const take = (to: number, from: number): void => {
    sums[to] = (sums[to] ?? 0) + BESIDE * (cosines[from] ?? 0);
    weights[to] = (weights[to] ?? 1) + BESIDE;
  };
  for (let i = 1; i < cosines.length; i++) {
    if (!held.isOneSection(i - 1, i)) continue;
    take(i, i - 1);
    take(i - 1, i);
  }
  return sums.map((sum, i) => sum / (weights[i] ?? 1));
}

interface Place {
  held: Held;
  index: number;
}

/** Returns whether a list that has one passage needs another less: it is found from there. */
export function isNear(a: Place, b: Place): boolean {
  return a.held === b.held && Math.abs(a.index - b.index) <= REACH && a.held.isOneSection(a.index, b.index);
}
