/** Sessions of the Prompt API: a conversation over an engine, whose oldest turns go when the context is full. */
import type { ChatCompletionCreateParamsStreaming, ChatCompletionMessageParam } from "../api/openai.js";
import { followSignals } from "../api/signals.js";
import type { Served } from "../api/served.js";
import { HearthError } from "../core/errors.js";
import { picturesIn, textOf, toDraftError, toInput, tooLong, unsupported, type Input, type Prompt } from "./input.js";

export interface SignalOptions {
  signal?: AbortSignal;
}

export interface PromptOptions extends SignalOptions {
  /** A JSON schema or a regular expression, which is enforced while the answer is made. */
  responseConstraint?: object;
  /** Accepted: a constraint is never added to the prompt. */
  omitResponseConstraintInput?: boolean;
}

/** The served model, and a count of a text's tokens where there is one. */
export interface Model {
  api: Served;
  count?: ((text: string) => Promise<number>) | undefined;
  /** Whether it sees pictures; undefined where nobody knows. */
  sees?: boolean | undefined;
}

export type Sampling = Pick<ChatCompletionCreateParamsStreaming, "temperature" | "top_k" | "min_p">;

/** Tokens that a message takes beside its text, roughly. */
const AROUND = 4;
const CHARACTERS_PER_TOKEN = 4;
/** Tokens that a picture takes until an engine has counted them: from 64 to a thousand, by model and size. */
const PER_PICTURE = 256;

export class LanguageModelSession extends EventTarget {
  readonly #model: Model;
  readonly #sampling: Sampling;
  /** Messages that are never dropped. */
  #initial: ChatCompletionMessageParam[];
  #history: ChatCompletionMessageParam[] = [];
  #usage = 0;
  /** End of the last request: a session answers one at a time. */
  #tail: Promise<unknown> = Promise.resolve();
  readonly #end = new AbortController();
  #onOverflow: ((event: Event) => void) | null = null;

  /** @internal */
  constructor(model: Model, sampling: Sampling, initial: ChatCompletionMessageParam[]) {
    super();
    this.#model = model;
    this.#sampling = sampling;
    this.#initial = initial;
  }

  /** Tokens in use: those of the last answer as its engine counted them, and an estimate of what was appended since. */
  get contextUsage(): number {
    return this.#usage;
  }

  /** Tokens that fit; `Infinity` for a server that does not say. */
  get contextWindow(): number {
    return this.#model.api.model.n_ctx ?? Number.POSITIVE_INFINITY;
  }

  get oncontextoverflow(): ((event: Event) => void) | null {
    return this.#onOverflow;
  }

  set oncontextoverflow(handler: ((event: Event) => void) | null) {
    if (this.#onOverflow !== null) this.removeEventListener("contextoverflow", this.#onOverflow);
    this.#onOverflow = handler;
    if (handler !== null) this.addEventListener("contextoverflow", handler);
  }

  /** Answers a prompt. After an abort, neither the prompt nor the part of an answer is kept. */
  async prompt(prompt: Prompt, options: PromptOptions = {}): Promise<string> {
    let text = "";
    await this.#answer(prompt, options, (delta) => (text += delta));
    return text;
  }

  /** Answers a prompt as a stream of pieces. Cancelling it is an abort. */
  promptStreaming(prompt: Prompt, options: PromptOptions = {}): ReadableStream<string> {
    const cancel = new AbortController();
    return new ReadableStream<string>({
      start: (controller) => {
        const give = (delta: string): void => {
          controller.enqueue(delta);
        };
        this.#answer(prompt, options, give, cancel.signal).then(
          () => {
            if (!cancel.signal.aborted) controller.close();
          },
          (error: unknown) => {
            controller.error(error);
          },
        );
      },
      cancel: (reason) => {
        cancel.abort(reason);
      },
    });
  }

  /** Adds messages without an answer. */
  append(prompt: Prompt, { signal }: SignalOptions = {}): Promise<undefined> {
    return this.#alone([signal], async () => {
      const input = this.#read(prompt);
      const tokens = await this.#measure(input.messages);
      while (this.#usage + tokens > this.contextWindow) {
        if (!this.#drop()) throw tooLong(tokens, this.contextWindow);
        this.#usage = await this.#measure([...this.#initial, ...this.#history]);
      }
      this.#keep(input.messages);
      this.#usage += tokens;
      return undefined;
    });
  }

  /** Estimates the tokens of a prompt: those of its texts, and a few around each message. */
  measureContextUsage(prompt: Prompt, { signal }: PromptOptions = {}): Promise<number> {
    return this.#guard([signal], () => this.#measure(this.#read(prompt).messages));
  }

  /** Returns a session with the same conversation, which goes its own way from here. */
  clone({ signal }: SignalOptions = {}): Promise<LanguageModelSession> {
    return this.#alone([signal], () => {
      const copy = new LanguageModelSession(this.#model, this.#sampling, [...this.#initial]);
      copy.#history = [...this.#history];
      copy.#usage = this.#usage;
      return Promise.resolve(copy);
    });
  }

  /** Stops what runs with an `AbortError`, and refuses what comes later. The engine stays. */
  destroy(): void {
    this.#end.abort();
  }

  /**
   * Estimates the initial prompts, which must fit.
   *
   * @internal
   */
  async begin(): Promise<void> {
    this.#usage = await this.#measure(this.#initial);
    if (this.#usage > this.contextWindow) throw tooLong(this.#usage, this.contextWindow);
  }

  #answer(prompt: Prompt, options: PromptOptions, give: (delta: string) => void, cancel?: AbortSignal): Promise<void> {
    return this.#alone([options.signal, cancel], async (signal) => {
      const input = this.#read(prompt);
      const constraint = toConstraint(options.responseConstraint);
      for (;;) {
        try {
          await this.#request(input, constraint, signal, give);
          return;
        } catch (error) {
          if (!(error instanceof HearthError && error.code === "context_overflow")) throw error;
          if (!this.#drop()) throw tooLong(await this.#measure(input.messages), this.contextWindow);
        }
      }
    });
  }

  async #request(
    { messages, isPrefixed }: Input,
    constraint: object,
    signal: AbortSignal,
    give: (delta: string) => void,
  ): Promise<void> {
    const params: ChatCompletionCreateParamsStreaming = {
      ...this.#sampling,
      ...constraint,
      messages: [...this.#initial, ...this.#history, ...messages],
      stream: true,
      stream_options: { include_usage: true },
      ...(isPrefixed && { continue_final_message: true }),
    };
    let text = "";
    let usage: number | undefined;
    for await (const chunk of await this.#model.api.chat.completions.create(params, { signal })) {
      usage = chunk.usage?.total_tokens ?? usage;
      const delta = chunk.choices[0]?.delta.content;
      if (!delta) continue;
      text += delta;
      give(delta);
    }
    const begun = isPrefixed ? messages.pop()?.content : "";
    this.#keep([...messages, { role: "assistant", content: `${begun as string}${text}` }]);
    this.#usage = usage ?? (await this.#measure([...this.#initial, ...this.#history]));
  }

  #read(prompt: Prompt): Input {
    return toInput(prompt, this.#initial.length + this.#history.length === 0);
  }

  /** Keeps messages; a system message at their beginning is never dropped. */
  #keep(messages: ChatCompletionMessageParam[]): void {
    const [first] = messages;
    if (first?.role !== "system") this.#history.push(...messages);
    else {
      this.#initial = [first];
      this.#history.push(...messages.slice(1));
    }
  }

  /** Drops the oldest turn, up to the next message of the user. Returns false if there is none. */
  #drop(): boolean {
    if (this.#history.length === 0) return false;
    const next = this.#history.findIndex(({ role }, index) => index > 0 && role === "user");
    this.#history = next < 0 ? [] : this.#history.slice(next);
    this.dispatchEvent(new Event("contextoverflow"));
    return true;
  }

  async #measure(messages: ChatCompletionMessageParam[]): Promise<number> {
    const { count } = this.#model;
    let tokens = 0;
    for (const { content } of messages) {
      const text = textOf(content);
      tokens += AROUND + PER_PICTURE * picturesIn(content);
      tokens += count === undefined ? Math.ceil(text.length / CHARACTERS_PER_TOKEN) : await count(text);
    }
    return tokens;
  }

  /** Runs work after the requests before it. */
  #alone<T>(signals: (AbortSignal | undefined)[], work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const before = this.#tail;
    const result = this.#guard(signals, async (signal) => {
      await before;
      signal.throwIfAborted();
      return work(signal);
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #guard<T>(signals: (AbortSignal | undefined)[], work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { controller, unlink } = followSignals([this.#end.signal, ...signals]);
    const { signal } = controller;
    try {
      signal.throwIfAborted();
      return await work(signal);
    } catch (error) {
      // The caller's own reason, as everywhere on the web.
      throw signal.aborted ? signal.reason : toDraftError(error);
    } finally {
      unlink();
    }
  }
}

function toConstraint(constraint: object | undefined): object {
  if (constraint === undefined) return {};
  if (!(constraint instanceof RegExp)) {
    return { response_format: { type: "json_schema", json_schema: { name: "answer", schema: constraint } } };
  }
  if (constraint.flags !== "") throw unsupported(`the flags "${constraint.flags}" of a constraint are not supported`);
  return { structured_outputs: { regex: constraint.source } };
}
