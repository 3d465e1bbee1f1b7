/** What the browser tells of the machine's memory. */

/** GiB that browsers give for so much and for everything above it. */
const CAP = 8;
/** Of the machine's memory, what a model may take. */
const SHARE = 0.7;

/** Bytes that a model may take: at least, and at most where that is known. Undefined where the browser tells nothing. */
export function roomOnMachine(): { least: number; most: number | undefined } | undefined {
  const { deviceMemory } = (globalThis as { navigator?: { deviceMemory?: number } }).navigator ?? {};
  if (deviceMemory === undefined) return undefined;
  const least = deviceMemory * SHARE * 2 ** 30;
  return { least, most: deviceMemory >= CAP ? undefined : least };
}
