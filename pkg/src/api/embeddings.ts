/** `embeddings`: OpenAI's create(), answered by a backend. */
import type { Backend } from "../backend/backend.js";
import type { CreateEmbeddingResponse, EmbeddingCreateParams, RequestOptions } from "./openai.js";
import { whole } from "./request.js";

export class Embeddings {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /**
   * Returns the embeddings of one or several texts, each normalised to length 1. In an engine whose model reads whole
   * texts (BERT, ModernBERT, EmbeddingGemma), short texts of a batch share steps, as many as the context holds.
   */
  create(params: EmbeddingCreateParams, options: RequestOptions = {}): Promise<CreateEmbeddingResponse> {
    return whole(params, options, (sent, opts) => this.#backend.embed(sent, opts));
  }
}
