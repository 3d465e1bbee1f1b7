/** The API over a model that runs in a worker, in this tab or another one. */
import { apiOf, type Api } from "./api/api.js";
import type { Completions, TextCompletions } from "./api/completions.js";
import type { Embeddings } from "./api/embeddings.js";
import type { RequestOptions } from "./api/openai.js";
import type { Translations } from "./api/translations.js";
import type { RerankParams, RerankResponse } from "./api/ranking.js";
import { Adapters } from "./backend/adapters.js";
import type { Backend } from "./backend/backend.js";
import type { LocalBackend } from "./backend/local.js";
import type { HearthError } from "./core/errors.js";
import type { Notice } from "./core/protocol.js";
import type { DeviceInfo, EngineStats, ModelInfo } from "./core/wasm-contract.js";
import { diagnose, type Diagnostics } from "./fit/diagnostics.js";

/** The API of a model that a backend of this package runs, which `Engine` and `SharedEngine` have alike. */
export abstract class LocalEngine implements Api {
  readonly device: DeviceInfo;
  readonly model: ModelInfo;
  /** First notice of the load for the user, e.g. that the model runs on the CPU. */
  readonly notice: Notice | undefined;
  /** Version of the core. */
  readonly version: string;
  /** The seam under the API: what answers the requests of `chat`, `completions`, `embeddings` and `rerank`. */
  readonly backend: Backend;
  readonly chat: { readonly completions: Completions };
  /** Completions that continue a text without the model's chat template. */
  readonly completions: TextCompletions;
  /** Embeddings, for models trained for them: BERT and similar ones, EmbeddingGemma, Qwen3-Embedding. */
  readonly embeddings: Embeddings;
  /** Texts in another language, by any chat model; those made for translation are asked as their makers ask them. */
  readonly translations: Translations;
  /** Adapters (LoRA) that requests choose in `adapters`. Those added to a shared model are gone when another tab takes it over. */
  readonly adapters: Adapters;
  /**
   * Resolves with the reason when the engine has ended: `disposed`, `device_lost`, `worker_died` or a trap of the core. For a shared
   * one a leader that goes is no such reason.
   */
  readonly closed: Promise<HearthError>;
  readonly #local: LocalBackend;
  readonly #api: Api;

  /** @internal */
  protected constructor(local: LocalBackend, notices: readonly Notice[]) {
    this.#local = local;
    this.backend = local;
    this.closed = local.closed;
    this.adapters = new Adapters(local);
    this.device = local.device;
    this.model = local.model;
    this.notice = notices[0];
    this.version = local.version;
    this.#api = apiOf(local);
    const { chat, completions, embeddings, translations } = this.#api;
    this.chat = chat;
    this.completions = completions;
    this.embeddings = embeddings;
    this.translations = translations;
  }

  /**
   * Ranks documents by how well they answer a query, with a model made for it: the best first. A batch is computed one
   * document at a time.
   */
  rerank(params: RerankParams, options: RequestOptions = {}): Promise<RerankResponse> {
    return this.#api.rerank(params, options);
  }

  tokenize(text: string): Promise<Uint32Array> {
    return this.#local.tokenize(text);
  }

  detokenize(ids: Uint32Array | number[]): Promise<string> {
    return this.#local.detokenize(ids);
  }

  /** Returns the number of tokens in a text. */
  async count(text: string): Promise<number> {
    return (await this.tokenize(text)).length;
  }

  stats(): Promise<EngineStats> {
    return this.#local.stats();
  }

  /** Returns the facts needed to investigate a problem. */
  async diagnostics(): Promise<Diagnostics> {
    return await diagnose(this, await this.stats());
  }

  /**
   * Ends the worker and frees everything it holds. Running requests and later calls reject with `disposed`. A shared one leaves the
   * other tabs: if this tab leads, the next one loads the model, and answers go on there.
   */
  dispose(): void {
    this.#local.dispose();
  }

  /** Destroys the GPU device, as WebGL's WEBGL_lose_context does, so that tests can observe how a page reacts. */
  async loseDevice(): Promise<void> {
    await this.#local.loseDevice();
  }
}
