/** `chat.completions` and `completions`: OpenAI's create(), answered by a backend. */
import type { Backend } from "../backend/backend.js";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionCreateParams,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionCreateParamsStreaming,
  Completion,
  CompletionCreateParams,
  CompletionCreateParamsNonStreaming,
  CompletionCreateParamsStreaming,
  RequestOptions,
} from "./openai.js";
import { streamed, whole } from "./request.js";
import type { CompletionStream } from "./stream.js";

/** Stream of a chat completion's chunks. */
export type ChatCompletionStream = CompletionStream<ChatCompletionChunk>;

export class Completions {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  create(params: ChatCompletionCreateParamsNonStreaming, options?: RequestOptions): Promise<ChatCompletion>;
  create(params: ChatCompletionCreateParamsStreaming, options?: RequestOptions): Promise<ChatCompletionStream>;
  create(params: ChatCompletionCreateParams, options?: RequestOptions): Promise<ChatCompletion | ChatCompletionStream>;
  // Async, so that an invalid request rejects instead of throwing.
  async create(
    params: ChatCompletionCreateParams,
    options: RequestOptions = {},
  ): Promise<ChatCompletion | ChatCompletionStream> {
    const backend = this.#backend;
    if (params.stream !== true) return whole(params, options, (sent, opts) => backend.chat(sent, opts));
    return streamed(params, options, (sent, opts) => backend.streamChat(sent, opts));
  }
}

/** Completions that continue a text without a chat template. */
export class TextCompletions {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  create(params: CompletionCreateParamsNonStreaming, options?: RequestOptions): Promise<Completion>;
  create(params: CompletionCreateParamsStreaming, options?: RequestOptions): Promise<CompletionStream<Completion>>;
  create(params: CompletionCreateParams, options?: RequestOptions): Promise<Completion | CompletionStream<Completion>>;
  async create(
    params: CompletionCreateParams,
    options: RequestOptions = {},
  ): Promise<Completion | CompletionStream<Completion>> {
    const backend = this.#backend;
    if (params.stream !== true) return whole(params, options, (sent, opts) => backend.complete(sent, opts));
    return streamed(params, options, (sent, opts) => backend.streamCompletion(sent, opts));
  }
}
