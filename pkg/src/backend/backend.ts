/**
 * The seam under the OpenAI-shaped API. `chat.completions`, `completions`, `embeddings`, `createFetch` and the page use
 * this interface and nothing else, so a model may run in this page or elsewhere.
 *
 * Requests and answers have OpenAI's shapes, so that a server of that API needs little more than a fetch. A backend
 * refuses what it cannot do instead of ignoring it, and `capabilities` says so in advance. Its errors may be of any
 * class: the API turns them into `HearthError`, and those after an abort into `cancelled`.
 */
import type { HearthError } from "../core/errors.js";
import type { DeviceInfo, EngineStats, ModelInfo } from "../core/wasm-contract.js";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionCreateParamsStreaming,
  Completion,
  CompletionCreateParamsNonStreaming,
  CompletionCreateParamsStreaming,
  CreateEmbeddingResponse,
  EmbeddingCreateParams,
} from "../api/openai.js";
import type { RerankParams, RerankResponse } from "../api/ranking.js";
import type { ServedBy } from "../api/serving.js";

/** A request as a backend receives it: its signal is among the options. */
export type Sent<Params> = Omit<Params, "signal">;

export interface BackendOptions {
  /** Ends the request, also in the middle of a stream. */
  signal: AbortSignal;
}

/** Facts about the model; `name` alone is always known. */
export interface BackendModel {
  readonly name: string;
  /** Tokens shared by prompt and answer. */
  readonly n_ctx?: number;
}

/** Kinds of requests beyond a plain chat. One that is false is refused with `invalid_request`. */
export interface Capabilities {
  /** Texts continued without the chat template. */
  readonly completions: boolean;
  readonly embeddings: boolean;
  /** Documents ranked by how well they answer a query. */
  readonly reranking: boolean;
  /** `response_format` and `structured_outputs`, enforced while the answer is made. */
  readonly formats: boolean;
  readonly tools: boolean;
  readonly logprobs: boolean;
  /** `continue_final_message`. */
  readonly continuation: boolean;
  /** `return_token_ids`. */
  readonly tokenIds: boolean;
  /** Pictures in messages. Absent where nobody knows: servers do not tell. */
  readonly pictures?: boolean;
}

/** The part of a backend that only a model in this page has. */
export interface LocalEngine {
  readonly device: DeviceInfo;
  readonly model: ModelInfo;
  /** Version of the core. */
  readonly version: string;
  /** Address, repository or file that the model was loaded from: files of safetensors often lack the model's name. */
  readonly source?: string | undefined;
  tokenize(text: string): Promise<Uint32Array>;
  detokenize(ids: Uint32Array | number[]): Promise<string>;
  stats(): Promise<EngineStats>;
}

export interface Backend {
  readonly model: BackendModel;
  readonly capabilities: Capabilities;
  /** Absent if the model runs elsewhere. */
  readonly local?: LocalEngine | undefined;
  /** Place where the next answer will be made; absent for a model in this page. */
  readonly servedBy?: ServedBy;
  /** Resolves with the reason when the backend has ended. */
  readonly closed: Promise<HearthError>;

  chat(params: Sent<ChatCompletionCreateParamsNonStreaming>, options: BackendOptions): Promise<ChatCompletion>;
  /** Resolves once the request is accepted. Leaving the iteration ends the request. */
  streamChat(
    params: Sent<ChatCompletionCreateParamsStreaming>,
    options: BackendOptions,
  ): Promise<AsyncIterable<ChatCompletionChunk>>;
  complete(params: Sent<CompletionCreateParamsNonStreaming>, options: BackendOptions): Promise<Completion>;
  streamCompletion(
    params: Sent<CompletionCreateParamsStreaming>,
    options: BackendOptions,
  ): Promise<AsyncIterable<Completion>>;
  embed(params: Sent<EmbeddingCreateParams>, options: BackendOptions): Promise<CreateEmbeddingResponse>;
  rerank(params: Sent<RerankParams>, options: BackendOptions): Promise<RerankResponse>;

  /** Frees what the backend holds. Running requests and later ones reject with `disposed`. */
  dispose(): void;
}
