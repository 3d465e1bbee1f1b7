/** A search: by words and by meaning, fused, reranked, without near-duplicates. */
import type { RerankParams } from "../api/ranking.js";
import { whole } from "../api/request.js";
import type { Backend } from "../backend/backend.js";
import { invalid, throwIfAborted, toHearthError } from "../core/errors.js";
import { markAt } from "./blocks.js";
import { Duplicates } from "./duplicates.js";
import type { Embedder } from "./embedder.js";
import { fuse, isByName, meaningWeight, POOL } from "./fusion.js";
import type { Held } from "./held.js";
import { isNear, withNeighbours } from "./near.js";
import type { LibraryNotice, PassageScores } from "./types.js";
import { Best, normalized } from "./vectors.js";
import type { Scored, Words } from "./words.js";

export type SearchMode = "auto" | "words" | "meaning";

export interface Ranked {
  held: Held;
  /** Position of the passage in its document. */
  index: number;
  score: number;
  scores: PassageScores;
}

export interface RankingParts {
  words: Words;
  embedder: Embedder | undefined;
  reranker: Backend | undefined;
  /** Passages that the reranker reads. */
  rerankPairs: number;
  notify: (notice: LibraryNotice) => void;
}

export interface RankOptions {
  limit: number;
  mode: SearchMode;
  /** Whether passages near a better one come after the others, unless the query names something or a reranker orders. */
  apart: boolean;
  signal: AbortSignal;
}

/** Passages that are looked at after the fusion. */
const CANDIDATES = 50;

export async function rank(
  parts: RankingParts,
  chosen: Held[],
  query: string,
  options: RankOptions,
): Promise<Ranked[]> {
  const { mode, limit, signal } = options;
  throwIfAborted(signal);
  const byBase = chosen.map((held) => ({ start: held.base, value: held })).sort((a, b) => a.start - b.start);
  const at = (id: number): Held | undefined => {
    const held = markAt(byBase, id)?.value;
    return held !== undefined && id < held.base + held.count ? held : undefined;
  };
  const byWords = mode === "meaning" ? [] : await parts.words.search(query, POOL, (id) => at(id) !== undefined);
  const cosines = mode === "words" ? undefined : await meaning(parts, chosen, query, mode, signal);
  const byMeaning = cosines === undefined ? [] : bestOf(cosines, !isByName(query));
  const hasVector = (id: number): boolean => {
    const held = at(id);
    return held !== undefined && id - held.base < held.vectors.count;
  };
  const fused = fuse(byWords, byMeaning, mode === "meaning" ? 1 : meaningWeight(query), hasVector);
  const found = fused.slice(0, Math.max(CANDIDATES, limit)).flatMap((one): Ranked[] => {
    const held = at(one.id);
    if (held === undefined) return [];
    const index = one.id - held.base;
    const cosine = one.meaning === null ? null : (cosines?.get(held)?.[index] ?? null);
    return [{ held, index, score: one.score, scores: { words: one.words, meaning: cosine, rerank: null } }];
  });
  const ordered = await reranked(parts, found, query, signal);
  const duplicates = new Duplicates();
  const isApart = options.apart && parts.reranker === undefined && !isByName(query);
  const kept: Ranked[] = [];
  const near: Ranked[] = [];
  for (const one of ordered) {
    if (kept.length >= limit) break;
    if (duplicates.has(one.held.text(one.index))) continue;
    (isApart && kept.some((other) => isNear(other, one)) ? near : kept).push(one);
  }
  return [...kept, ...near].slice(0, limit);
}

/** Returns the passages whose cosines are best, by those of their neighbours too if these count. */
function bestOf(cosines: Map<Held, Float32Array>, neighboursCount: boolean): Scored[] {
  const best = new Best(POOL);
  for (const [held, own] of cosines) {
    (neighboursCount ? withNeighbours(held, own) : own).forEach((cosine, index) => {
      best.offer(held.base + index, cosine);
    });
  }
  return best.sorted();
}

/** Returns the cosines of the passages that have vectors and the query; undefined where meaning has no say. */
async function meaning(
  { embedder, notify }: RankingParts,
  chosen: Held[],
  query: string,
  mode: SearchMode,
  signal: AbortSignal,
): Promise<Map<Held, Float32Array> | undefined> {
  if (embedder === undefined) {
    if (mode === "meaning") throw invalid("mode", '"words" or "auto" in a library without an embedder', mode);
    return undefined;
  }
  if (chosen.every(({ vectors }) => vectors.count === 0)) return undefined;
  let vector: Float32Array;
  try {
    vector = normalized(await embedder.query(query, signal));
  } catch (error) {
    const reason = toHearthError(error);
    if (mode === "meaning" || reason.code === "cancelled") throw reason;
    const message = `The search went by words only: ${reason.message}.`;
    notify({ code: "words_only", message, hint: "Give the library an embedder again with `use`." });
    return undefined;
  }
  return new Map(chosen.map((held) => [held, held.vectors.cosines(vector)]));
}

/** Puts the passages that the reranker reads first, in its order. */
async function reranked(
  { reranker, rerankPairs, notify }: RankingParts,
  found: Ranked[],
  query: string,
  signal: AbortSignal,
): Promise<Ranked[]> {
  const read = found.slice(0, rerankPairs);
  if (reranker === undefined || read.length < 2) return found;
  const documents = read.map(({ held, index }) => held.embeddingText(index));
  const cut = reranker.local === undefined ? {} : { truncate: true };
  try {
    const request: RerankParams = { query, documents, ...cut };
    const { results } = await whole(request, { signal }, (sent, options) => reranker.rerank(sent, options));
    const seen = new Set<number>();
    const first = results.flatMap(({ index, relevance_score: score }): Ranked[] => {
      const one = read[index];
      if (one === undefined || seen.has(index)) return [];
      seen.add(index);
      return [{ ...one, score, scores: { ...one.scores, rerank: score } }];
    });
    const left = read.filter((_, i) => !seen.has(i));
    return [...first, ...left, ...found.slice(rerankPairs)];
  } catch (error) {
    const reason = toHearthError(error);
    if (reason.code === "cancelled") throw reason;
    const message = `The search went without the reranker: ${reason.message}.`;
    notify({ code: "reranker_failed", message, hint: "Give the library a reranker again with `use`." });
    return found;
  }
}
