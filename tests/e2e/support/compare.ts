/** Comparison of numbers, shared by all specs. A missing value or one that is not a number is never close. */
import { expect } from "@playwright/test";

/** Returns the largest difference between the found and the expected numbers. */
export function worstError(what: string, found: readonly number[], expected: readonly number[]): number {
  expect(found, `${what}: another length`).toHaveLength(expected.length);
  expect(found.length, `${what}: nothing to compare`).toBeGreaterThan(0);
  let worst = 0;
  for (const [i, value] of found.entries()) {
    const error = Math.abs(value - (expected[i] ?? NaN));
    if (!Number.isFinite(error)) throw new Error(`${what}[${String(i)}]: ${String(value)}, not ${String(expected[i])}`);
    worst = Math.max(worst, error);
  }
  return worst;
}

/** Prints `worst` next to the tolerance, which should be three times the measured value, and fails beyond it. */
export function expectWithin(what: string, worst: number, tolerance: number): void {
  const share = (worst / tolerance).toFixed(2);
  console.log(`${what}: largest error ${worst.toExponential(1)}, ${share} of ${tolerance.toExponential(0)}`);
  expect(worst, what).toBeLessThanOrEqual(tolerance);
}
