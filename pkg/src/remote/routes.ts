/** The backend of a router: sends each request to one of two backends, and marks its answer with the place. */
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
import type { Backend, BackendModel, BackendOptions, Capabilities, LocalEngine, Sent } from "../backend/backend.js";
import { HearthError, toHearthError } from "../core/errors.js";

export type Place = "local" | "remote";

/** Place of a request, and why it goes there. */
export interface Route {
  place: Place;
  model: string;
  /** Host of the server; absent on this device. */
  server?: string;
  reason: string;
}

/** A request, as `choose` sees it. */
export type Routed = Sent<
  | ChatCompletionCreateParamsNonStreaming
  | ChatCompletionCreateParamsStreaming
  | CompletionCreateParamsNonStreaming
  | CompletionCreateParamsStreaming
  | EmbeddingCreateParams
  | RerankParams
>;

interface Settings {
  remote: Backend;
  place: Place;
  reason: string;
  fallback: boolean;
  local?: Backend;
  loading?: Promise<Backend>;
  /** Whether the server answers while the local model is loading. */
  isEager?: boolean;
  choose?: ((request: Routed) => Place | undefined) | undefined;
  onRoute?: ((route: Route) => void) | undefined;
  /** Ends the load. */
  end?: () => void;
}

interface Chosen extends Route {
  backend: Backend;
}

interface Marked {
  served_by?: ServedBy;
}

/** Errors after which the other place would do no better, or was not meant. */
const FINAL = new Set(["cancelled", "invalid_request", "disposed"]);

export class RouterBackend implements Backend {
  readonly closed: Promise<HearthError>;
  /** Resolves when the local model is loaded or has failed to load. */
  readonly ready: Promise<void>;
  /** Why the local model could not be loaded. */
  failed: HearthError | undefined;
  readonly #settings: Settings;
  #local: Backend | undefined;
  #created: Backend | undefined;
  #end: HearthError | undefined;
  #resolveClosed!: (reason: HearthError) => void;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#local = settings.local;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.ready = this.#await(settings.loading);
  }

  get model(): BackendModel {
    return this.#current.model;
  }

  get capabilities(): Capabilities {
    return this.#current.capabilities;
  }

  get local(): LocalEngine | undefined {
    return this.#current.local;
  }

  get servedBy(): ServedBy {
    const { place, reason } = this.#default();
    return servedBy(place === "local" && this.#local !== undefined ? this.#local : this.#settings.remote, reason);
  }

  get #current(): Backend {
    return this.#default().place === "local" ? (this.#local ?? this.#settings.remote) : this.#settings.remote;
  }

  chat(params: Sent<ChatCompletionCreateParamsNonStreaming>, options: BackendOptions): Promise<ChatCompletion> {
    return this.#whole(params, options, (backend) => backend.chat(params, options));
  }

  streamChat(
    params: Sent<ChatCompletionCreateParamsStreaming>,
    options: BackendOptions,
  ): Promise<AsyncIterable<ChatCompletionChunk>> {
    const hasText = ({ choices }: ChatCompletionChunk): boolean =>
      choices.some(({ delta, finish_reason }) => {
        return (
          finish_reason !== null || Boolean(delta.content ?? delta.reasoning_content) || delta.tool_calls !== undefined
        );
      });
    return this.#streamed(params, options, (backend) => backend.streamChat(params, options), hasText);
  }

  complete(params: Sent<CompletionCreateParamsNonStreaming>, options: BackendOptions): Promise<Completion> {
    return this.#whole(params, options, (backend) => backend.complete(params, options));
  }

  streamCompletion(
    params: Sent<CompletionCreateParamsStreaming>,
    options: BackendOptions,
  ): Promise<AsyncIterable<Completion>> {
    const send = (backend: Backend): Promise<AsyncIterable<Completion>> => backend.streamCompletion(params, options);
    return this.#streamed(params, options, send, () => true);
  }

  embed(params: Sent<EmbeddingCreateParams>, options: BackendOptions): Promise<CreateEmbeddingResponse> {
    return this.#whole(params, options, (backend) => backend.embed(params, options));
  }

  rerank(params: Sent<RerankParams>, options: BackendOptions): Promise<RerankResponse> {
    return this.#whole(params, options, (backend) => backend.rerank(params, options));
  }

  dispose(): void {
    const reason = new HearthError("disposed", "the router was disposed");
    this.#end ??= reason;
    this.#settings.end?.();
    this.#created?.dispose();
    this.#resolveClosed(reason);
  }

  async #await(loading: Promise<Backend> | undefined): Promise<void> {
    if (loading === undefined) return;
    try {
      const backend = await loading;
      if (this.#end !== undefined) {
        backend.dispose();
        return;
      }
      this.#created = backend;
      this.#local = backend;
    } catch (error) {
      this.failed = toHearthError(error);
    }
  }

  /** Returns the place of requests that nothing else decides. */
  #default(): { place: Place; reason: string } {
    const { place, reason, isEager = false, fallback } = this.#settings;
    if (place === "remote" || this.#local !== undefined) return { place, reason };
    if (this.failed !== undefined && fallback) {
      return { place: "remote", reason: `the local model could not be loaded: ${this.failed.message}` };
    }
    const isLoading = isEager && this.failed === undefined;
    return isLoading ? { place: "remote", reason: "the local model is loading" } : { place, reason };
  }

  #choose(request: Routed): Chosen {
    if (this.#end !== undefined) throw this.#end;
    const wanted = this.#settings.choose?.(request);
    const { place, reason } =
      wanted === undefined ? this.#default() : { place: wanted, reason: "the application chose it" };
    return this.#at(place, reason);
  }

  #at(place: Place, reason: string): Chosen {
    const backend = place === "local" ? this.#local : this.#settings.remote;
    if (backend === undefined) {
      throw this.failed ?? new HearthError("busy", "the local model is not loaded", { hint: "Wait for router.ready." });
    }
    const { server } = backend.servedBy ?? {};
    const route: Route = { place, model: backend.model.name, reason, ...(server === undefined ? {} : { server }) };
    this.#settings.onRoute?.(route);
    return { ...route, backend };
  }

  /** Returns the other place after an error, if that was allowed and can help. */
  #instead(first: Chosen, error: unknown, signal: AbortSignal): Chosen {
    const reason = toHearthError(error);
    const hasOther = first.place === "local" || this.#local !== undefined;
    if (!this.#settings.fallback || !hasOther || signal.aborted || FINAL.has(reason.code)) throw error;
    const place = first.place === "local" ? "remote" : "local";
    return this.#at(place, `after an error of the ${first.place} model: ${reason.message}`);
  }

  async #whole<T extends Marked>(
    request: Routed,
    { signal }: BackendOptions,
    send: (backend: Backend) => Promise<T>,
  ): Promise<T> {
    const first = this.#choose(request);
    try {
      return marked(await send(first.backend), first);
    } catch (error) {
      const second = this.#instead(first, error, signal);
      return marked(await send(second.backend), second);
    }
  }

  async #streamed<T extends Marked>(
    request: Routed,
    { signal }: BackendOptions,
    send: (backend: Backend) => Promise<AsyncIterable<T>>,
    hasText: (chunk: T) => boolean,
  ): Promise<AsyncIterable<T>> {
    const first = this.#choose(request);
    const again = async (error: unknown): Promise<AsyncIterable<T>> => {
      const second = this.#instead(first, error, signal);
      return markedAll(await send(second.backend), second);
    };
    try {
      const source = markedAll(await send(first.backend), first);
      return this.#settings.fallback ? follow(source, again, hasText) : source;
    } catch (error) {
      return again(error);
    }
  }
}

/** Yields a stream, or another one if the first fails before any of the answer has come. */
async function* follow<T>(
  source: AsyncIterable<T>,
  again: (error: unknown) => Promise<AsyncIterable<T>>,
  hasText: (chunk: T) => boolean,
): AsyncGenerator<T> {
  // Held until there is text, so that a stream has one beginning.
  let held: T[] | undefined = [];
  let other: AsyncIterable<T> | undefined;
  try {
    for await (const chunk of source) {
      if (held !== undefined && !hasText(chunk)) {
        held.push(chunk);
        continue;
      }
      if (held !== undefined) yield* held;
      held = undefined;
      yield chunk;
    }
    if (held !== undefined) yield* held;
  } catch (error) {
    if (held === undefined) throw error;
    other = await again(error);
  }
  if (other !== undefined) yield* other;
}

async function* markedAll<T extends Marked>(source: AsyncIterable<T>, route: Chosen): AsyncGenerator<T> {
  for await (const chunk of source) yield marked(chunk, route);
}

function marked<T extends Marked>(answer: T, { backend, reason }: Chosen): T {
  return { ...answer, served_by: servedBy(backend, reason) };
}

function servedBy(backend: Backend, reason: string): ServedBy {
  const where = backend.local === undefined ? "server" : "here";
  return { ...(backend.servedBy ?? { where, model: backend.model.name }), reason };
}
