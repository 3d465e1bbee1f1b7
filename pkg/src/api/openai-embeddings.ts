/** OpenAI's types of embeddings, as far as Hearth serves them, with the same names and shapes. */
import type { ChatCompletionContentPartImage, ChatCompletionContentPartText, FieldsWithoutEffect } from "./openai.js";
import type { ServedBy } from "./serving.js";

export interface EmbeddingCreateParams extends Pick<
  FieldsWithoutEffect,
  "user" | "metadata" | "priority" | "request_id"
> {
  /**
   * A text, or its tokens with the special ones at its ends; or several, which are all texts or all tokens. Beyond OpenAI's API, parts as
   * in messages, also among texts: pictures for models that compare them with texts (CLIP, SigLIP).
   */
  input: string | EmbeddingInputPart | (string | EmbeddingInputPart)[] | number[] | number[][];
  /** Accepted for compatibility: an engine holds one model. */
  model?: string;
  /** Default `"float"`. `"base64"` encodes the little-endian f32 bytes. */
  encoding_format?: "float" | "base64" | null;
  /**
   * Shortens the embedding to its first numbers, normalised again, which models trained for it (Matryoshka) allow.
   * Default: all. More than the model has are rejected.
   */
  dimensions?: number | null;
  /** Truncates a text that is longer than the context instead of rejecting it. Default false. */
  truncate?: boolean | null;
  signal?: AbortSignal | null;
}

/** A text or a picture to embed. */
export type EmbeddingInputPart = ChatCompletionContentPartText | ChatCompletionContentPartImage;

export interface EmbeddingObject {
  object: "embedding";
  index: number;
  /** A base64 string if `encoding_format` is `"base64"`. */
  embedding: number[] | string;
}

export interface CreateEmbeddingResponse {
  object: "list";
  data: EmbeddingObject[];
  model: string;
  usage: { prompt_tokens: number; total_tokens: number };
  /** Set by servers, the browser's model and routers (`hearth-llm/remote`). */
  served_by?: ServedBy;
}
