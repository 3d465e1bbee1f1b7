/**
 * Fusion of both rankings as a convex combination of their scores, each scaled to 1 at its best. Measured on question
 * sets, fusion by ranks (RRF) made questions worse than meaning alone; this did not.
 */
import type { Scored } from "./words.js";

/** Passages of each ranking that take part; the last one's cosine is where the scale of meaning begins. */
export const POOL = 100;

export interface Fused {
  id: number;
  score: number;
  words: number | null;
  meaning: number | null;
}

const IDENTIFIER = /["“”„«»「」`]|[\p{L}\p{N}_](?:::|->|[._/])[\p{L}_]|\p{Ll}\p{Lu}|\p{L}\(\)|(?:^|\s)--?\p{L}/u;

/** Words up to which a query that names something asks for the name rather than with it. */
const SHORT = 5;

/** Returns whether a query asks for something by its name, or quotes: words then tell more than meaning. */
export function isByName(query: string): boolean {
  return IDENTIFIER.test(query) && query.trim().split(/\s+/).length <= SHORT;
}

/** Returns the weight of meaning for a query. */
export function meaningWeight(query: string): number {
  return isByName(query) ? 0.5 : 0.8;
}

/**
 * Combines rankings by words (BM25+) and by meaning (cosines), each the best first. A passage without a vector yet is
 * ranked by its words alone.
 */
export function fuse(words: Scored[], meaning: Scored[], weight: number, hasVector: (id: number) => boolean): Fused[] {
  const mostWords = words[0]?.score ?? 0;
  const most = meaning[0]?.score ?? 0;
  const least = meaning.at(-1)?.score ?? 0;
  const found = new Map<number, Fused>();
  for (const { id, score } of words) found.set(id, { id, score: 0, words: score, meaning: null });
  for (const { id, score } of meaning) {
    const other = found.get(id);
    if (other === undefined) found.set(id, { id, score: 0, words: null, meaning: score });
    else other.meaning = score;
  }
  for (const one of found.values()) {
    const byWords = one.words === null || mostWords === 0 ? 0 : one.words / mostWords;
    const byMeaning = one.meaning === null ? 0 : most === least ? 1 : (one.meaning - least) / (most - least);
    const isAlone = meaning.length === 0 || !hasVector(one.id);
    one.score = isAlone ? byWords : weight * byMeaning + (1 - weight) * byWords;
  }
  return [...found.values()].sort((a, b) => b.score - a.score || a.id - b.id);
}
