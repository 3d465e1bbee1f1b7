/** Converts OpenAI's request for embeddings to the worker's. */
import type { EmbeddingCreateParams } from "../api/openai.js";
import { HearthError, invalid } from "../core/errors.js";
import type { EmbedRequest } from "../core/protocol.js";
import { checkFields } from "./fields.js";

export function toEmbedRequest(params: EmbeddingCreateParams): {
  request: EmbedRequest;
  encoding: "float" | "base64";
} {
  checkFields("embeddings", params);
  const { input } = params;
  const truncate = params.truncate ?? false;
  const encoding = (params.encoding_format as string | null | undefined) ?? "float";
  if (encoding !== "float" && encoding !== "base64") throw invalid("encoding_format", '"float" or "base64"', encoding);
  const texts = typeof input === "string" ? [input] : input;
  if (!Array.isArray(texts) || texts.length === 0 || texts.some((text) => typeof text !== "string")) {
    throw new HearthError("invalid_request", "invalid request: input must be a text, or several in an array");
  }
  return { request: { texts, truncate }, encoding };
}
