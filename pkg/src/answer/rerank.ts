/** The response to a request that ranks documents. */
import type { RerankResponse, RerankResult } from "../api/ranking.js";
import type { RankResult } from "../core/protocol.js";

/** Sorts by score; equal ones keep the documents' order. `texts`: those to be returned. */
export function toRerank(
  { scores, tokens }: RankResult,
  topN: number,
  texts: string[] | undefined,
  model: string,
): RerankResponse {
  const all = scores.map((relevance_score, index): RerankResult => {
    const text = texts?.[index];
    return text === undefined ? { index, relevance_score } : { index, relevance_score, document: { text } };
  });
  const results = all.sort((a, b) => b.relevance_score - a.relevance_score).slice(0, topN);
  return { object: "list", model, results, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}
