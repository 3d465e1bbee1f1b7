/** A model on a server, as the backend of the API. */
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
import type { Backend, BackendModel, BackendOptions, Capabilities, Sent } from "../backend/backend.js";
import { HearthError, invalid } from "../core/errors.js";
import { ChatReader, TextReader, toChat, toText, usageOf, type Expected } from "./answers.js";
import type { Connection, Received } from "./connection.js";
import { parsed, refusal } from "./failures.js";
import { withAddresses } from "./pictures.js";
import { continued, toBody, type Target } from "./request.js";
import { chunksOf, type ChunkReader } from "./stream.js";

type ChatParams = Sent<ChatCompletionCreateParamsNonStreaming | ChatCompletionCreateParamsStreaming>;

export class RemoteBackend implements Backend {
  readonly model: BackendModel;
  readonly capabilities: Capabilities;
  readonly servedBy: ServedBy;
  readonly closed: Promise<HearthError>;
  readonly #connection: Connection;
  readonly #target: Target;
  #resolveClosed!: (reason: HearthError) => void;

  constructor(connection: Connection, target: Target, model: BackendModel) {
    this.#connection = connection;
    this.#target = target;
    this.model = model;
    this.capabilities = target.traits.capabilities;
    this.servedBy = { where: "server", server: connection.host, model: model.name };
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  async chat(params: Sent<ChatCompletionCreateParamsNonStreaming>, options: BackendOptions): Promise<ChatCompletion> {
    const found = await this.#ask("chat/completions", params, options);
    return toChat(found, this.#expected(params));
  }

  async streamChat(
    params: Sent<ChatCompletionCreateParamsStreaming>,
    options: BackendOptions,
  ): Promise<AsyncIterable<ChatCompletionChunk>> {
    const reader = new ChatReader(this.#expected(params));
    return this.#stream("chat/completions", params, params.n ?? 1, reader, options);
  }

  async complete(params: Sent<CompletionCreateParamsNonStreaming>, options: BackendOptions): Promise<Completion> {
    return toText(await this.#ask("completions", params, options), this.#plain());
  }

  async streamCompletion(
    params: Sent<CompletionCreateParamsStreaming>,
    options: BackendOptions,
  ): Promise<AsyncIterable<Completion>> {
    const prompts = Array.isArray(params.prompt) ? params.prompt.length : 1;
    const reader = new TextReader(this.#plain());
    return this.#stream("completions", params, prompts * (params.n ?? 1), reader, options);
  }

  async embed(params: Sent<EmbeddingCreateParams>, options: BackendOptions): Promise<CreateEmbeddingResponse> {
    const found = (await this.#ask("embeddings", params, options)) as Partial<CreateEmbeddingResponse>;
    if (!Array.isArray(found.data)) throw new HearthError("remote_error", "the server's answer has no embeddings");
    const data = found.data
      .map(({ index, embedding }, at) => ({
        object: "embedding" as const,
        index: Number.isInteger(index) ? index : at,
        embedding,
      }))
      .sort((a, b) => a.index - b.index);
    return { object: "list", data, ...this.#used(found.usage) };
  }

  async rerank(params: Sent<RerankParams>, options: BackendOptions): Promise<RerankResponse> {
    const { return_documents, top_n, documents, ...sent } = params;
    if (!Array.isArray(documents)) throw invalid("documents", "a list of texts", documents);
    const texts = documents.map((document) => (typeof document === "string" ? document : document.text));
    const asked = { ...sent, documents: texts, ...(top_n == null ? {} : { top_n }) };
    const found = (await this.#ask("rerank", asked, options)) as Partial<RerankResponse>;
    if (!Array.isArray(found.results)) throw new HearthError("remote_error", "the server's answer has no results");
    const results = found.results
      .map(({ index, relevance_score }) => {
        const text = texts[index];
        return {
          index,
          relevance_score,
          ...(return_documents === true && text !== undefined ? { document: { text } } : {}),
        };
      })
      .sort((a, b) => b.relevance_score - a.relevance_score)
      .slice(0, top_n ?? undefined);
    return { object: "list", results, ...this.#used(found.usage) };
  }

  dispose(): void {
    const reason = new HearthError("disposed", "the connection to the server was disposed");
    this.#connection.end(reason);
    this.#resolveClosed(reason);
  }

  async #ask(route: string, params: object, { signal }: BackendOptions): Promise<unknown> {
    const sent = await withAddresses({ ...params, stream: undefined, stream_options: undefined }, signal);
    return this.#connection.json(route, toBody(sent, this.#target), signal);
  }

  async #stream<C extends Completion | ChatCompletionChunk>(
    route: string,
    params: Sent<ChatCompletionCreateParamsStreaming | CompletionCreateParamsStreaming>,
    count: number,
    reader: ChunkReader<C>,
    { signal }: BackendOptions,
  ): Promise<AsyncIterable<C>> {
    const sent = await withAddresses(params, signal);
    const received = await this.#connection.send(route, toBody(sent, this.#target), signal);
    await this.#checkStream(received, signal);
    const canContinue = route.startsWith("chat") && this.capabilities.continuation;
    return chunksOf(this.#connection, received, reader, {
      count,
      options: params.stream_options ?? {},
      canContinue,
      signal,
    });
  }

  /** Rejects an answer that is no stream: a page of HTML, an error with status 200, or a whole answer. */
  async #checkStream({ response, signal: own, close }: Received, signal: AbortSignal): Promise<void> {
    const type = response.headers.get("Content-Type") ?? "";
    if (type === "" || type.includes("text/event-stream")) return;
    const { host } = this.#connection;
    try {
      const text = await response.text();
      const isWhole = Array.isArray((parsed(text) as { choices?: unknown } | undefined)?.choices);
      if (isWhole) throw new HearthError("remote_error", `${host} answered whole where a stream was asked for`);
      throw refusal(500, text, host);
    } catch (error) {
      throw this.#connection.failure(error, own, signal);
    } finally {
      close();
    }
  }

  #expected(params: ChatParams): Expected {
    const { reasoning_format, tool_choice } = params;
    const mustCall = tool_choice === "required" || typeof tool_choice === "object";
    return {
      ...this.#plain(),
      keepsThoughts: reasoning_format === "none",
      prefix: this.#target.traits.repeatsPrefix ? continued(params) : "",
      mustCall: mustCall && tool_choice !== null,
    };
  }

  #plain(): Expected {
    return { servedBy: this.servedBy, keepsThoughts: true, prefix: "", mustCall: false };
  }

  #used(found: unknown): Pick<CreateEmbeddingResponse, "model" | "usage" | "served_by"> {
    const { prompt_tokens = 0, total_tokens = 0 } = usageOf(found) ?? {};
    const total = (found as { total_tokens?: number } | undefined)?.total_tokens ?? total_tokens;
    const usage = { prompt_tokens: prompt_tokens || total, total_tokens: total };
    return { model: this.model.name, usage, served_by: this.servedBy };
  }
}
