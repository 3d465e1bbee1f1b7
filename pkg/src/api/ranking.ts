/** Ranking of documents by how well they answer a query. */

import type { FieldsWithoutEffect } from "./openai.js";
import type { ServedBy } from "./serving.js";

/** A request to rank documents, as Jina's and Cohere's servers, vLLM and llama.cpp take it. */
export interface RerankParams extends Pick<FieldsWithoutEffect, "user" | "metadata" | "priority" | "request_id"> {
  query: string;
  documents: (string | { text: string })[];
  /** Number of documents to return, the best ones. Default: all. */
  top_n?: number | null;
  /** Returns the documents' texts as well. Default false. */
  return_documents?: boolean | null;
  /** Accepted for compatibility: an engine holds one model. */
  model?: string;
  /** Cuts a document that does not fit the context together with the query instead of rejecting it. Default false. */
  truncate?: boolean | null;
  signal?: AbortSignal | null;
}

export interface RerankResult {
  /** Position among the request's documents. */
  index: number;
  /** From 0 to 1: the probability that the document answers the query, in the model's view. */
  relevance_score: number;
  /** Present if `return_documents` is set. */
  document?: { text: string };
}

export interface RerankResponse {
  object: "list";
  model: string;
  /** The best first. */
  results: RerankResult[];
  usage: { prompt_tokens: number; total_tokens: number };
  /** Set by servers, the browser's model and routers (`hearth-llm/remote`). */
  served_by?: ServedBy;
}
