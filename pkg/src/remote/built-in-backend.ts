/** The browser's own model as a backend. Each request has a session of its own with the whole conversation. */
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam } from "../api/openai.js";
import type { ServedBy } from "../api/serving.js";
import type { Backend, BackendModel, BackendOptions, Capabilities } from "../backend/backend.js";
import { HearthError } from "../core/errors.js";
import { toBody, type Target } from "./request.js";

interface Prompt {
  role: "system" | "user" | "assistant";
  content: string;
}

interface Session {
  promptStreaming(text: string, options: PromptOptions): ReadableStream<string>;
  destroy(): void;
}

interface PromptOptions {
  signal: AbortSignal;
  responseConstraint?: unknown;
}

/** The part of the browser's `LanguageModel` that is used. */
export interface BrowserModel {
  availability(): Promise<string>;
  create(options: { initialPrompts: Prompt[]; signal: AbortSignal }): Promise<Session>;
}

const NAME = "browser";
const CAPABILITIES: Capabilities = {
  completions: false,
  embeddings: false,
  reranking: false,
  formats: true,
  tools: false,
  logprobs: false,
  continuation: false,
  tokenIds: false,
  pictures: false,
};
/** The browser gives pages no say in the sampling, so its fields are refused. */
const TARGET: Target = {
  kind: "openai",
  name: "the browser's own model",
  traits: {
    fields: new Set(["messages", "stream", "stream_options", "response_format"]),
    renamed: {},
    repeatsPrefix: false,
    capabilities: CAPABILITIES,
  },
  model: NAME,
  lenient: false,
  extra: {},
};

export class BuiltInBackend implements Backend {
  readonly model: BackendModel = { name: NAME };
  readonly capabilities = CAPABILITIES;
  readonly servedBy: ServedBy = { where: "browser", model: NAME };
  readonly closed: Promise<HearthError>;
  readonly #found: BrowserModel;
  readonly #ended = new AbortController();

  constructor(found: BrowserModel) {
    this.#found = found;
    this.closed = new Promise((resolve) => {
      this.#ended.signal.addEventListener("abort", () => {
        resolve(this.#ended.signal.reason as HearthError);
      });
    });
  }

  chat: Backend["chat"] = async (params, options) => {
    let content = "";
    for await (const piece of this.#pieces(params, options)) content += piece;
    const usage = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
    const message = { role: "assistant" as const, content, refusal: null };
    const choices = [{ index: 0, message, finish_reason: "stop" as const, logprobs: null }];
    return {
      ...this.#head(),
      object: "chat.completion",
      choices,
      usage: {
        ...usage,
        prompt_tokens_details: { cached_tokens: 0 },
        completion_tokens_details: { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
      },
    } satisfies ChatCompletion;
  };

  streamChat: Backend["streamChat"] = async (params, options) => {
    const pieces = this.#pieces(params, options);
    // A request that is refused rejects before the stream begins.
    const first = await pieces.next();
    return this.#chunks(first, pieces);
  };

  complete = (): Promise<never> => lacks("completions");
  streamCompletion = (): Promise<never> => lacks("completions");
  embed = (): Promise<never> => lacks("embeddings");
  rerank = (): Promise<never> => lacks("rerank");

  dispose(): void {
    this.#ended.abort(new HearthError("disposed", "the browser's own model was disposed"));
  }

  async *#chunks(first: IteratorResult<string, void>, rest: AsyncGenerator<string, void>) {
    const head = { ...this.#head(), object: "chat.completion.chunk" as const };
    const chunk = (content: string, finish_reason: "stop" | null): ChatCompletionChunk => {
      return { ...head, choices: [{ index: 0, delta: { content }, finish_reason, logprobs: null }] };
    };
    try {
      if (first.done !== true) yield chunk(first.value, null);
      for await (const piece of rest) yield chunk(piece, null);
      yield chunk("", "stop");
    } finally {
      await rest.return();
    }
  }

  /** Yields the answer's text as it comes. */
  async *#pieces(params: object, { signal: asked }: BackendOptions): AsyncGenerator<string, void> {
    const body = toBody(params, TARGET);
    const prompts = (body.messages as ChatCompletionMessageParam[]).map(toPrompt);
    const last = prompts.pop();
    if (last?.role !== "user") throw refused("continues no answer: the last message must be the user's");
    const schema = (body.response_format as { json_schema?: { schema?: unknown } } | undefined)?.json_schema?.schema;
    if (body.response_format !== undefined && schema === undefined) throw refused("takes only JSON schemas as formats");
    const signal = AbortSignal.any([asked, this.#ended.signal]);
    let session: Session | undefined;
    try {
      signal.throwIfAborted();
      session = await this.#found.create({ initialPrompts: prompts, signal });
      const options = { signal, ...(schema === undefined ? {} : { responseConstraint: schema }) };
      const reader = session.promptStreaming(last.content, options).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        if (value !== "") yield value;
      }
    } catch (error) {
      throw this.#failure(error);
    } finally {
      session?.destroy();
    }
  }

  #failure(error: unknown): unknown {
    const { reason } = this.#ended.signal as { reason?: unknown };
    if (reason !== undefined) return reason;
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    if (error instanceof HearthError || name === "AbortError") return error;
    const code = name === "QuotaExceededError" ? "context_overflow" : "remote_error";
    return new HearthError(code, `the browser's own model failed: ${message}`, {
      hint: "Ask again with a shorter conversation, or choose another model.",
      cause: error,
    });
  }

  #head(): Pick<ChatCompletion, "id" | "created" | "model" | "served_by"> {
    const created = Math.floor(Date.now() / 1000);
    return { id: `chatcmpl-${crypto.randomUUID()}`, created, model: NAME, served_by: this.servedBy };
  }
}

function toPrompt({ role, content }: ChatCompletionMessageParam): Prompt {
  const known = role === "developer" ? "system" : role;
  if ((known !== "system" && known !== "user" && known !== "assistant") || typeof content !== "string") {
    throw refused("takes texts of system, user and assistant only");
  }
  return { role: known, content };
}

function refused(what: string): HearthError {
  return new HearthError("unsupported_by_server", `the browser's own model ${what}`);
}

function lacks(what: string): Promise<never> {
  return Promise.reject(refused(`has no ${what}`));
}
