/** OpenAI's response with embeddings. */
import type { CreateEmbeddingResponse } from "../api/openai.js";
import type { EmbedResult } from "../core/protocol.js";

export function toEmbeddings(
  { embeddings, tokens }: EmbedResult,
  encoding: "float" | "base64",
  model: string,
): CreateEmbeddingResponse {
  const data = embeddings.map((embedding, index) => ({
    object: "embedding" as const,
    index,
    embedding: encoding === "base64" ? base64(embedding) : Array.from(embedding),
  }));
  return { object: "list", data, model, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

/** Encodes as OpenAI does: base64 of the little-endian f32 bytes. */
function base64(values: Float32Array): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
