/** `engine.embeddings`: OpenAI's create(), answered by the worker. */
import { HearthError, invalid, throwIfAborted } from "../core/errors.js";
import { checkFields } from "../request/fields.js";
import type { Lock } from "../core/lock.js";
import type { CreateEmbeddingResponse, EmbeddingCreateParams, RequestOptions } from "./openai.js";
import type { EmbedRequest, EmbedResult } from "../core/protocol.js";

/** Sends one request to the worker. */
export type Embed = (request: EmbedRequest, options: { signal: AbortSignal | undefined }) => Promise<EmbedResult>;

export class Embeddings {
  readonly #embed: Embed;
  readonly #model: string;
  /** Shared with the completions: one engine has one context. */
  readonly #queue: Lock;

  constructor(model: string, queue: Lock, embed: Embed) {
    this.#model = model;
    this.#queue = queue;
    this.#embed = embed;
  }

  /**
   * Returns the embeddings of one or several texts, each normalised to length 1. A batch is computed one text at a
   * time, so it is no faster.
   */
  async create(params: EmbeddingCreateParams, options: RequestOptions = {}): Promise<CreateEmbeddingResponse> {
    checkFields("embeddings", params);
    const { input } = params;
    const truncate = params.truncate ?? false;
    const encoding = (params.encoding_format as string | null | undefined) ?? "float";
    if (encoding !== "float" && encoding !== "base64")
      throw invalid("encoding_format", '"float" or "base64"', encoding);
    const texts = typeof input === "string" ? [input] : input;
    if (!Array.isArray(texts) || texts.length === 0 || texts.some((text) => typeof text !== "string")) {
      throw new HearthError("invalid_request", "invalid request: input must be a text, or several in an array");
    }
    const signals = [params.signal, options.signal].filter((signal) => signal !== undefined && signal !== null);
    const signal = signals.length > 0 ? AbortSignal.any(signals) : undefined;
    const { embeddings, tokens } = await this.#queue.run(() => {
      throwIfAborted(signal);
      return this.#embed({ texts, truncate }, { signal });
    });
    const data = embeddings.map((embedding, index) => ({
      object: "embedding" as const,
      index,
      embedding: encoding === "base64" ? base64(embedding) : Array.from(embedding),
    }));
    const usage = { prompt_tokens: tokens, total_tokens: tokens };
    return { object: "list", data, model: this.#model, usage };
  }
}

/** Encodes as OpenAI does: base64 of the little-endian f32 bytes. */
function base64(values: Float32Array): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}
