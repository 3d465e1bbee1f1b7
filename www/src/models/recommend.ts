/** Choice of the model to recommend: the strongest one of the catalogue that fits the device. */
import type { Fit } from "hearth-llm";
import type { CatalogEntry } from "./catalog.js";

/** Bytes on the device per byte of the file: weights grow a little when they are packed, and a context comes on top. */
const GROWTH = 1.25;
/** Headers fetched at most: each is some megabytes, most of them vocabulary. */
const MOST_HEADERS = 3;
/** Tokens per second below which reading along is a trial of patience. */
const READABLE = 5;

/** Whether a model fits, as `canRun` says. */
export type Check = (entry: CatalogEntry) => Promise<Pick<Fit, "verdict" | "tokens_per_second">>;

/** Returns the entries that may fit into `memory` bytes, the strongest first. The catalogue goes from weak to strong. */
export function candidates(catalog: readonly CatalogEntry[], memory: number): CatalogEntry[] {
  return catalog.filter(({ bytes }) => bytes * GROWTH <= memory).reverse();
}

/**
 * Returns the strongest entry that fits, or undefined if none does or nothing is known about the memory. An entry
 * whose header cannot be read is passed over.
 */
export async function strongest(
  catalog: readonly CatalogEntry[],
  memory: number | null,
  check: Check,
): Promise<CatalogEntry | undefined> {
  if (memory === null) return undefined;
  for (const entry of candidates(catalog, memory).slice(0, MOST_HEADERS)) {
    const fit = await check(entry).catch(() => undefined);
    if (fit?.verdict === "fits" && (fit.tokens_per_second ?? READABLE) >= READABLE) return entry;
  }
  return undefined;
}
