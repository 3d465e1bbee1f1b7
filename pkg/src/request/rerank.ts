/** Converts a request to rank documents to the worker's. */
import type { RerankParams } from "../api/ranking.js";
import { invalid } from "../core/errors.js";
import type { RankRequest } from "../core/protocol.js";
import { checkFields } from "./fields.js";

export function toRankRequest(params: RerankParams): { request: RankRequest; topN: number } {
  checkFields("rerank", params);
  const { query, documents, truncate } = params as { query: unknown; documents: unknown; truncate?: boolean | null };
  if (typeof query !== "string") throw invalid("query", "a text", query);
  if (!Array.isArray(documents) || documents.length === 0)
    throw invalid("documents", "several texts in an array", documents);
  const texts = documents.map((document: unknown, i) => {
    const text: unknown = typeof document === "string" ? document : (document as { text?: unknown } | null)?.text;
    if (typeof text !== "string") throw invalid(`documents[${String(i)}]`, "a text, or an object with one", document);
    return text;
  });
  const topN = params.top_n ?? texts.length;
  if (!Number.isInteger(topN) || topN < 1) throw invalid("top_n", "a whole number above 0", params.top_n);
  return { request: { query, documents: texts, truncate: truncate ?? false }, topN };
}
