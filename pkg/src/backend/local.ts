/**
 * A model in this page's worker, or in one that the site's tabs share. Each request passes through a chain: `RequestQueue` (one at a time), `ResumableAnswer`
 * (which tokens there are already), `RecoveringWorker` (another worker after a lost device), `WorkerRpc`.
 */
import { chatChunks, chatCompletion, type ChatAnswers } from "../answer/chat.js";
import { newHead } from "../answer/chunks.js";
import { toEmbeddings } from "../answer/embeddings.js";
import { toRerank } from "../answer/rerank.js";
import { textChunks, textCompletion, type TextAnswers } from "../answer/text.js";
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
  CreateEmbeddingResponse,
  EmbeddingCreateParams,
  PictureInput,
} from "../api/openai.js";
import type { RerankParams, RerankResponse } from "../api/ranking.js";
import { HearthError, throwIfAborted } from "../core/errors.js";
import type { AdapterRequest, AnswerRequest, LoadResult } from "../core/protocol.js";
import type { AdapterInfo, DeviceInfo, EngineStats, ModelInfo } from "../core/wasm-contract.js";
import { withSources } from "../pictures/requests.js";
import { withEmbedded } from "../pictures/embedded.js";
import { toEmbedRequest } from "../request/embeddings.js";
import { toChatRequests, toTextRequests } from "../request/request.js";
import { toRankRequest } from "../request/rerank.js";
import { streamed, whole } from "./answers.js";
import type { Backend, BackendOptions, Capabilities, LocalEngine, Sent } from "./backend.js";
import { RequestQueue } from "./queue.js";
import type { ModelCalls } from "./recover.js";
import { ResumableAnswer } from "./resume.js";

export class LocalBackend implements Backend, LocalEngine {
  readonly device: DeviceInfo;
  readonly model: ModelInfo;
  readonly version: string;
  readonly source: string | undefined;
  readonly capabilities: Capabilities;
  readonly local: LocalEngine = this;
  readonly closed: Promise<HearthError>;
  readonly #worker: ModelCalls;
  readonly #queue: RequestQueue;

  constructor(worker: ModelCalls, { device, model, version }: LoadResult, source?: string) {
    this.#worker = worker;
    this.closed = worker.closed;
    this.device = device;
    this.model = model;
    this.version = version;
    this.source = source;
    this.capabilities = capabilitiesOf(model);
    this.#queue = new RequestQueue(async (request, { signal, onDelta }) => {
      const answer = new ResumableAnswer(request, onDelta);
      await worker.call(
        "generate",
        () => answer.request(),
        () => ({
          signal,
          onDelta: (step) => {
            answer.take(step);
          },
        }),
      );
    });
  }

  async chat(
    params: Sent<ChatCompletionCreateParamsNonStreaming>,
    { signal }: BackendOptions,
  ): Promise<ChatCompletion> {
    const { asked, expected } = this.#toChat(params);
    const sent = withSources(asked, this.model, signal);
    const requests = sent instanceof Promise ? await sent : sent;
    const { answers, used } = await whole(this.#queue, requests, signal);
    return chatCompletion(expected, answers, used);
  }

  async streamChat(
    params: Sent<ChatCompletionCreateParamsStreaming>,
    { signal }: BackendOptions,
  ): Promise<AsyncIterable<ChatCompletionChunk>> {
    const { asked, expected } = this.#toChat(params);
    const sent = withSources(asked, this.model, signal);
    const requests = sent instanceof Promise ? await sent : sent;
    const chunks = chatChunks({ ...expected, withProgress: params.return_progress === true }, requests.length);
    return streamed(this.#queue, requests, params.stream_options ?? {}, signal, chunks);
  }

  async complete(params: Sent<CompletionCreateParamsNonStreaming>, { signal }: BackendOptions): Promise<Completion> {
    const { requests, expected } = this.#toText(params);
    const { answers, used } = await whole(this.#queue, requests, signal);
    return textCompletion(expected, answers, used);
  }

  // Async, so that an invalid request rejects instead of throwing.
  // eslint-disable-next-line @typescript-eslint/require-await
  async streamCompletion(
    params: Sent<CompletionCreateParamsStreaming>,
    { signal }: BackendOptions,
  ): Promise<AsyncIterable<Completion>> {
    const { requests, expected } = this.#toText(params);
    return streamed(this.#queue, requests, params.stream_options ?? {}, signal, textChunks(expected));
  }

  async embed(params: Sent<EmbeddingCreateParams>, { signal }: BackendOptions): Promise<CreateEmbeddingResponse> {
    const { request: asked, encoding } = toEmbedRequest(params);
    const request = await withEmbedded(asked, this.model, signal);
    const result = await this.#queue.run(() => {
      throwIfAborted(signal);
      return this.#worker.call("embed", request, () => ({ signal }));
    });
    return toEmbeddings(result, encoding, this.model.name);
  }

  async rerank(params: Sent<RerankParams>, { signal }: BackendOptions): Promise<RerankResponse> {
    const { request, topN } = toRankRequest(params);
    const result = await this.#queue.run(() => {
      throwIfAborted(signal);
      return this.#worker.call("rank", request, () => ({ signal }));
    });
    const texts = params.return_documents === true ? request.documents : undefined;
    return toRerank(result, topN, texts, this.model.name);
  }

  /** Adds an adapter once the requests before it are answered. */
  addAdapter(request: AdapterRequest, signal?: AbortSignal): Promise<AdapterInfo> {
    return this.#queue.run(() => {
      throwIfAborted(signal);
      return this.#worker.call("addAdapter", request, () => ({ signal }));
    });
  }

  /** Removes an adapter once the requests before it are answered. */
  removeAdapter(name: string): Promise<boolean> {
    return this.#queue.run(() => this.#worker.call("removeAdapter", { name }));
  }

  listAdapters(): Promise<AdapterInfo[]> {
    return this.#worker.call("listAdapters", null);
  }

  tokenize(text: string): Promise<Uint32Array> {
    return this.#worker.call("tokenize", { text });
  }

  detokenize(ids: Uint32Array | number[]): Promise<string> {
    return this.#worker.call("detokenize", { ids: Uint32Array.from(ids) });
  }

  stats(): Promise<EngineStats> {
    return this.#worker.call("stats", null);
  }

  dispose(): void {
    this.#worker.close(new HearthError("disposed", "the engine was disposed"));
  }

  /** Destroys the GPU device. For tests. */
  loseDevice(): Promise<void> {
    return this.#worker.lose();
  }

  #toChat(params: ChatCompletionCreateParams): { asked: AnswerRequest<PictureInput>[]; expected: ChatAnswers } {
    const { requests: asked, plan } = toChatRequests(params, this.model);
    const head = newHead("chatcmpl", this.model.name);
    return { asked, expected: { head, plan, withIds: params.return_token_ids === true } };
  }

  #toText(params: CompletionCreateParams): { requests: AnswerRequest[]; expected: TextAnswers } {
    const requests = toTextRequests(params);
    const head = newHead("cmpl", this.model.name);
    const echoes = requests.map(({ prompt = "" }) => (params.echo === true ? prompt : ""));
    return { requests, expected: { head, echoes, withIds: params.return_token_ids === true } };
  }
}

/** Harmony's answers consist of messages, of which an unfinished one cannot be continued. */
function capabilitiesOf({ pooling, tool_style, vision }: ModelInfo): Capabilities {
  return {
    completions: true,
    embeddings: pooling !== null && pooling !== "rank",
    reranking: pooling === "rank",
    formats: true,
    // Also for a template without tools: they are described in a message then.
    tools: true,
    logprobs: true,
    continuation: tool_style !== "harmony",
    tokenIds: true,
    pictures: vision !== null,
  };
}
