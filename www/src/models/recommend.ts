/**
 * The models offered on a first visit: one to try at once, one that suits this device, and the strongest that runs. The
 * catalogue alone is asked: a header from elsewhere would name the visitor's interest to its host.
 */
import type { CatalogEntry } from "./catalog.js";

/** Facts known of a device. */
export interface Device {
  /** Bytes that a model may take; null if unknown. */
  memory: number | null;
  /** Bytes read from memory per second; undefined if unknown. */
  bandwidth: number | undefined;
}

export interface Offers {
  now: CatalogEntry;
  recommended?: CatalogEntry;
  best?: CatalogEntry;
}

/**
 * Bytes on the device per byte of the file, at most: K-quants, which most files are of, are packed at the file's bits, and
 * the types that replace them in narrow models at a tenth more.
 */
const PACKED = 1.05;
/** Contexts that the engine chooses from. */
const CONTEXTS = [2048, 4096, 8192, 16_384];
/** Share of the measured bandwidth that decode reaches. */
const REACHED = 0.6;
/** Tokens per second of a fluent answer, and those below which reading along is a trial of patience. */
const FLUENT = 15;
const READABLE = 5;
/** Size of a file that runs on about any machine, for devices that tell nothing of themselves. */
const MODEST = 1.2e9;

/** Returns about how many tokens per second a model gives here: each one reads all its weights. */
export function speedOf({ bytes }: CatalogEntry, { bandwidth }: Device): number | undefined {
  return bandwidth === undefined ? undefined : (REACHED * bandwidth) / bytes;
}

/**
 * Returns the bytes that a model takes on a device with so much memory, as `canRun` would say of its file: weights, keys and
 * values of the context that the engine chooses, states and working memory.
 */
export function needsOf({ bytes, needs: { token, work } }: CatalogEntry, memory: number | null): number {
  const weights = PACKED * bytes;
  const free = memory === null ? Infinity : Math.max(0, memory - weights);
  const suits = (context: number): boolean => token * context <= Math.min(weights, free) / 2;
  const context = CONTEXTS.findLast(suits) ?? CONTEXTS[0] ?? 0;
  return weights + token * context + work;
}

/** Whether a model's makers name a language. */
export function speaks({ languages }: CatalogEntry, language: string): boolean {
  return languages === "many" || languages.includes(language);
}

/** Chooses from a catalogue that goes from weak to strong. Where no model knows the language, all are offered. */
export function offersFor(catalog: readonly CatalogEntry[], device: Device, language: string): Offers | undefined {
  const understood = catalog.filter((entry) => speaks(entry, language));
  const all = understood.length > 0 ? understood : catalog;
  const [now] = all;
  if (now === undefined) return undefined;
  const { memory } = device;
  const fits = (entry: CatalogEntry): boolean => memory !== null && needsOf(entry, memory) <= memory;
  const isFast = (entry: CatalogEntry, least: number): boolean =>
    (speedOf(entry, device) ?? (entry.bytes <= MODEST ? least : 0)) >= least;
  const recommended = all.findLast(
    (entry) => (memory === null ? entry.bytes <= MODEST : fits(entry)) && isFast(entry, FLUENT),
  );
  const best = all.findLast((entry) => fits(entry) && isFast(entry, READABLE));
  const isBetter = (entry: CatalogEntry | undefined, than: CatalogEntry): entry is CatalogEntry =>
    entry !== undefined && all.indexOf(entry) > all.indexOf(than);
  return {
    now,
    ...(isBetter(recommended, now) ? { recommended } : {}),
    ...(isBetter(best, recommended ?? now) ? { best } : {}),
  };
}
