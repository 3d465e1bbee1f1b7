/** A conversation for user interfaces: messages, the answer that streams in, and what became of it. Free of frameworks. */
import type { ChatCompletionChunk, ChatCompletionCreateParamsBase, ChatCompletionMessageParam } from "../api/openai.js";
import { choose, type Served } from "../api/served.js";
import type { ServedBy } from "../api/serving.js";
import { HearthError, toHearthError } from "../core/errors.js";
import type { Backend } from "../backend/backend.js";
import type { Usage } from "../core/wasm-contract.js";

/** A message as it is shown. A changed message is a new object. */
export interface ChatMessage {
  /** Name within the conversation, for keys of lists. */
  readonly id: string;
  readonly role: "user" | "assistant";
  /** Text; a model's is never to be taken for HTML. */
  readonly content: string;
  /** The model's thoughts before its answer. */
  readonly reasoning?: string;
  /** Reason of the answer's end: `"stopped"` by the user, or as a model ends. Absent while the answer comes. */
  readonly finish?: "stop" | "length" | "tool_calls" | "stopped" | "error";
  readonly usage?: Usage;
  /** Place where the answer was made, if it was not this page. */
  readonly servedBy?: ServedBy;
}

/** `submitted` until the answer's first piece, then `streaming`. */
export type ChatStatus = "ready" | "submitted" | "streaming" | "error";

/** State of a conversation, a new object after each change. */
export interface ChatState {
  readonly messages: readonly ChatMessage[];
  readonly status: ChatStatus;
  /** Failure of the last answer, while `status` is `"error"`. */
  readonly error: HearthError | undefined;
}

/** Function that answers a conversation: a request to another engine, to a library's documents, or with tools. */
export type Answerer = (
  messages: ChatCompletionMessageParam[],
  options: { signal: AbortSignal },
) => AsyncIterable<ChatCompletionChunk> | Promise<AsyncIterable<ChatCompletionChunk>>;

/** Fields of the requests, such as `temperature` or `max_tokens`. */
export type ChatRequest = Omit<ChatCompletionCreateParamsBase, "messages" | "signal" | "n">;

/** Settings of a conversation, which may change between answers. */
export interface ChatOptions {
  /** Instructions before the conversation. */
  system?: string | undefined;
  /** Fields of the requests, such as `temperature` or `max_tokens`. */
  request?: ChatRequest | undefined;
  /** Function that answers in place of the engine. */
  answer?: Answerer | undefined;
}

/** The engine, remote model, router or backend that answers; nothing while it loads. */
export type ChatEngine = Served | Backend | undefined;

const STOPPED = "stopped" as const;

/** A conversation with one answer at a time: a new message stops the answer before it. */
export class Conversation {
  #state: ChatState;
  #engine: ChatEngine;
  #options: ChatOptions;
  #running: AbortController | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(messages: readonly ChatMessage[] = [], engine?: ChatEngine, options: ChatOptions = {}) {
    this.#state = { messages, status: "ready", error: undefined };
    this.#engine = engine;
    this.#options = options;
  }

  /** Sets what the next answers are made with. */
  configure(engine: ChatEngine, options: ChatOptions): void {
    this.#engine = engine;
    this.#options = options;
  }

  /** Returns the state, the same object until something changes. */
  readonly state = (): ChatState => this.#state;

  /** Calls a function after each change, and returns the function that ends this. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  /** Sends the user's message and resolves when its answer has ended. Never rejects: failures are in the state. */
  readonly send = async (text: string): Promise<void> => {
    if (text.trim() === "") return;
    // An answer that this message interrupts is shown as it is.
    const before = this.#state.messages.map((message) => (isOpen(message) ? { ...message, finish: STOPPED } : message));
    await this.#answer([...before, { id: newId(), role: "user", content: text }]);
  };

  /** Answers the user's last message again, in place of the answer that it has. */
  readonly regenerate = async (): Promise<void> => {
    const { messages } = this.#state;
    const last = messages.findLastIndex(({ role }) => role === "user");
    if (last >= 0) await this.#answer(messages.slice(0, last + 1));
  };

  /** Stops the answer; what has come of it stays. */
  readonly stop = (): void => {
    this.#running?.abort();
  };

  /** Puts other messages in place of these, none for a new conversation. Stops the answer. */
  readonly setMessages = (messages: readonly ChatMessage[]): void => {
    this.stop();
    this.#running = undefined;
    this.#set({ messages, status: "ready", error: undefined });
  };

  async #answer(messages: readonly ChatMessage[]): Promise<void> {
    this.stop();
    const running = (this.#running = new AbortController());
    const { signal } = running;
    this.#set({ messages, status: "submitted", error: undefined });
    let answer: ChatMessage = { id: newId(), role: "assistant", content: "" };
    /** Shows the answer, unless another one or other messages took its place. */
    const show = (status: ChatStatus, error?: HearthError): void => {
      if (this.#running !== running) return;
      const isEmpty = answer.content === "" && answer.reasoning === undefined;
      this.#set({ messages: isEmpty ? messages : [...messages, answer], status, error });
    };
    try {
      for await (const chunk of await this.#request(messages, signal)) {
        if (signal.aborted) break;
        answer = grown(answer, chunk);
        show("streaming");
      }
      answer = { ...answer, finish: signal.aborted ? STOPPED : (answer.finish ?? "stop") };
      show("ready");
    } catch (reason) {
      answer = { ...answer, finish: signal.aborted ? STOPPED : "error" };
      if (signal.aborted) show("ready");
      else show("error", toHearthError(reason));
    }
    if (this.#running === running) this.#running = undefined;
  }

  async #request(shown: readonly ChatMessage[], signal: AbortSignal): Promise<AsyncIterable<ChatCompletionChunk>> {
    const { system, request, answer } = this.#options;
    const messages: ChatCompletionMessageParam[] = shown.map(({ role, content }) => ({ role, content }));
    if (system) messages.unshift({ role: "system", content: system });
    if (answer !== undefined) return answer(messages, { signal });
    if (this.#engine === undefined) {
      throw new HearthError("invalid_request", "no model is there to answer", { hint: "Wait until it is loaded." });
    }
    const { chat } = await choose(this.#engine, "");
    const params = { stream_options: { include_usage: true }, ...request, messages, stream: true as const };
    return chat.completions.create(params, { signal });
  }

  #set(state: ChatState): void {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener();
  }
}

function isOpen({ role, finish }: ChatMessage): boolean {
  return role === "assistant" && finish === undefined;
}

function grown(answer: ChatMessage, { choices: [choice], usage, served_by }: ChatCompletionChunk): ChatMessage {
  const thoughts = choice?.delta.reasoning_content;
  return {
    ...answer,
    content: answer.content + (choice?.delta.content ?? ""),
    ...(thoughts && { reasoning: (answer.reasoning ?? "") + thoughts }),
    ...(choice?.finish_reason && { finish: choice.finish_reason }),
    ...(usage && { usage }),
    ...(served_by && { servedBy: served_by }),
  };
}

/** Returns a name that messages kept from an earlier visit do not have either. */
function newId(): string {
  return `message-${Math.random().toString(36).slice(2)}`;
}
