/** One answer while it is being generated. */
import { signal } from "@preact/signals";
import {
  Completions,
  HearthError,
  type Backend,
  type ChatCompletionChunk,
  type ChatCompletionCreateParamsStreaming,
  type ChatCompletionMessageParam,
  type CompletionUsage,
  type PromptProgress,
} from "hearth-llm";
import { picturesOf, sourcesOf, textOf, withSources, withText } from "../store/parts.js";
import type { SourcesPart } from "../store/sources.js";
import { withoutJournal, type AnswerStats, type Journal, type Message } from "../store/tree.js";
import { toMessages, toParam, withPrompt, type Given } from "./messages.js";
import { record } from "./performance.js";
import { sees } from "./picture-files.js";
import { identityOf, journalFor, newSeed } from "./journal.js";
import { requestSampling } from "./sampling.js";
import { lacksSwitch, thinkingOf } from "./thinking.js";

/** Interval for saving the answer so far, so that a crash loses little. */
const DRAFT_MS = 2000;

/** The stream of an answer. */
export interface Opened {
  chunks: AsyncIterable<ChatCompletionChunk>;
  /** Passages that the model was given, if it answers from documents. */
  sources?: SourcesPart;
  /** Returns the sources with the citations of the answer so far. */
  cited?: () => Promise<SourcesPart>;
}

/** Opens the stream of an answer. */
export type OpenAnswer = (
  backend: Backend,
  request: ChatCompletionCreateParamsStreaming,
  signal: AbortSignal,
) => Promise<Opened>;

/** Opens an answer from the conversation alone. */
export const openPlain: OpenAnswer = async (backend, request, signal) => ({
  chunks: await new Completions(backend).create(request, { signal }),
});

/** Progress of a model in a prompt. */
export interface Reading {
  /** Share from 0 to 1, and the seconds that are left. */
  share: number;
  left: number | undefined;
  /** Share of the looking at pictures that is done, while the model looks at one. */
  looked?: number;
}

export class Answering {
  readonly id: string;
  /** The answer so far; for a continued answer, including the earlier part. */
  readonly text;
  readonly reasoning = signal("");
  /** Whether any of the answer has arrived. */
  readonly hasBegun = signal(false);
  readonly stats = signal<AnswerStats | null>(null);
  /** Times at which the thoughts began and ended, as `performance.now()` tells them. */
  readonly thought = signal<{ from: number; to?: number } | undefined>(undefined);
  /** Passages that the model was given; undefined without documents. */
  readonly sources;
  /** Number of pictures in the conversation that the model did not get. */
  readonly unseen = signal(0);
  /** Progress of the model in the prompt; undefined while unknown. */
  readonly read = signal<Reading | undefined>(undefined);
  /** Number of pictures that the model looks at before it answers. */
  readonly looking: number;
  /** The answer, unless it is empty, and why it ended, unless it ended normally. Never rejects. */
  readonly done: Promise<{ result: Message | undefined; error: unknown }>;
  #message: Message;
  /** State that another page would need to go on with the answer; undefined where none could. */
  #journal: Journal | undefined;
  /** Whether the text of the journal's tokens comes again, in place of what is shown. */
  #comesAgain = false;
  readonly #abort = new AbortController();

  constructor(
    backend: Backend,
    message: Message,
    before: readonly Message[],
    system: string,
    onDraft: (message: Message) => void,
    open: OpenAnswer = openPlain,
  ) {
    this.id = message.id;
    this.#message = withoutJournal(message);
    this.#journal = journalFor(backend, message);
    this.text = signal(textOf(message));
    this.reasoning.value = message.reasoning;
    this.sources = signal(sourcesOf(message));
    const canSee = sees(backend);
    this.looking = canSee ? before.slice(-1).flatMap(picturesOf).length : 0;
    this.done = this.#run(backend, toMessages(system, before, canSee), onDraft, open);
  }

  /** Stops the answer and keeps the text so far. */
  stop(): void {
    this.#abort.abort();
  }

  /** The message as it is now. */
  get soFar(): Message {
    return this.#ended("running", true);
  }

  async #run(
    backend: Backend,
    given: Promise<Given>,
    onDraft: (message: Message) => void,
    open: OpenAnswer,
  ): Promise<{ result: Message | undefined; error: unknown }> {
    const clock = new AnswerClock();
    const draft = setInterval(() => {
      // Without a word there is nothing to lose, and an answer that fails would have to be deleted.
      if (this.hasBegun.peek()) onDraft(this.soFar);
    }, DRAFT_MS);
    let end: Message["end"] = "stop";
    let error: unknown;
    let opened: Opened | undefined;
    try {
      const { messages, unseen } = await given;
      this.#note(unseen);
      const read = async (thinking: ReturnType<typeof thinkingOf>): Promise<void> => {
        const { request, isContinued } = this.#request(backend, messages, thinking);
        opened = await (isContinued ? openPlain : open)(backend, request, this.#abort.signal);
        if (opened.sources !== undefined) {
          this.sources.value = opened.sources;
          // Passages are found anew.
          this.#journal = undefined;
        }
        for await (const { choices, usage, prompt_progress: progress } of opened.chunks) {
          const choice = choices[0];
          if (progress !== undefined) this.read.value = readOf(progress);
          if (usage) this.stats.value = clock.tick(usage);
          const { content = "", reasoning_content = "" } = choice?.delta ?? {};
          this.#add(content, reasoning_content, choice?.token_ids ?? []);
          if (content !== "" || reasoning_content !== "") clock.begin();
          if (choice?.finish_reason) end = choice.finish_reason === "length" ? "length" : "stop";
        }
      };
      await read(thinkingOf(backend)).catch((cause: unknown) => {
        const isOther = lacksSwitch(backend, cause) || (this.#comesAgain && isRefused(cause));
        if (this.hasBegun.peek() || !isOther) throw cause;
        // Keep the text of an answer whose tokens are refused.
        this.#journal = undefined;
        return read({});
      });
    } catch (cause) {
      end = "stopped";
      const code = cause instanceof HearthError ? cause.code : undefined;
      // Stopped by the visitor, who may also have switched to another model.
      const isWanted = (this.#abort.signal.aborted && code === "cancelled") || code === "disposed";
      if (!isWanted) error = cause;
    } finally {
      clearInterval(draft);
    }
    if (this.stats.value !== null) record(backend, this.stats.value);
    if (opened?.cited !== undefined) this.sources.value = await opened.cited();
    const result = this.#ended(end, error !== undefined);
    const isNothing = textOf(result) === "" && result.reasoning === "" && error !== undefined;
    return { result: isNothing ? undefined : result, error };
  }

  /** Returns the request for the answer or for its rest, and begins the journal of one that has none. */
  #request(
    backend: Backend,
    given: readonly ChatCompletionMessageParam[],
    thinking: ReturnType<typeof thinkingOf>,
  ): { request: ChatCompletionCreateParamsStreaming; isContinued: boolean } {
    const [model, journal, sources] = [identityOf(backend), this.#journal, this.sources.peek()];
    const from = journal?.from ?? { text: this.text.peek(), reasoning: this.reasoning.peek() };
    const isContinued = from.text !== "" || from.reasoning !== "";
    const fields = journal?.fields ?? {
      ...(model === undefined ? {} : { seed: newSeed() }),
      ...requestSampling(),
      // A continued answer is past its thoughts, or in the middle of them.
      ...(isContinued ? {} : thinking),
    };
    const messages = [...given];
    if (isContinued) {
      const question = messages.at(-1);
      if (sources?.prompt !== undefined && question !== undefined) {
        messages.splice(-1, 1, withPrompt(question, sources.prompt));
      }
      messages.push(toParam({ ...this.#message, parts: withText(this.#message.parts, from.text), ...from }));
    }
    const ids = journal?.ids ?? [];
    this.#comesAgain = ids.length > 0;
    this.#journal = model === undefined || sources !== undefined ? undefined : { model, ids: [...ids], from, fields };
    const request = {
      messages,
      ...fields,
      ...(isContinued ? { continue_final_message: true } : {}),
      // The engine keeps the conversation under it; a server has no use for it.
      ...(backend.local === undefined ? {} : { prompt_cache_key: this.#message.conversation, return_progress: true }),
      ...(this.#comesAgain ? { resume_ids: ids } : {}),
      ...(this.#journal === undefined ? {} : { return_token_ids: true }),
      stream: true as const,
      stream_options: { include_usage: true, continuous_usage_stats: true },
    };
    return { request, isContinued: isContinued || this.#comesAgain };
  }

  /** Adds what has come of the answer and of the thoughts before it, and times these. */
  #add(content: string, reasoning: string, ids: readonly number[]): void {
    const now = performance.now();
    if (this.#journal !== undefined && ids.length > 0) {
      const { from, ids: all } = this.#journal;
      if (this.#comesAgain) {
        [this.text.value, this.reasoning.value] = [from.text, from.reasoning];
        all.length = 0;
        this.#comesAgain = false;
      }
      all.push(...ids);
    }
    if (reasoning !== "") this.thought.value ??= { from: now };
    const { thought } = this;
    const isOver = thought.value !== undefined && thought.value.to === undefined && content.trim() !== "";
    if (isOver && thought.value !== undefined) thought.value = { ...thought.value, to: now };
    this.reasoning.value += reasoning;
    this.text.value += content;
    if (content !== "" || reasoning !== "") this.hasBegun.value = true;
  }

  /** Notes in the message how many pictures the model did not get. */
  #note(unseen: number): void {
    const message = { ...this.#message };
    delete message.unseen;
    this.#message = unseen === 0 ? message : { ...message, unseen };
    this.unseen.value = unseen;
  }

  /** Returns the message, with its journal if it may go on. */
  #ended(end: Message["end"], goesOn: boolean): Message {
    const { text, reasoning, stats, sources, thought } = this;
    const parts = withSources(withText(this.#message.parts, text.peek()), sources.peek());
    const { from, to = performance.now() } = thought.peek() ?? {};
    const seconds = from === undefined ? {} : { thought: (this.#message.thought ?? 0) + (to - from) / 1000 };
    const written = this.#journal;
    const journal = goesOn && written !== undefined ? { journal: { ...written, ids: [...written.ids] } } : {};
    return { ...this.#message, ...seconds, ...journal, parts, reasoning: reasoning.peek(), stats: stats.peek(), end };
  }
}

const isRefused = (error: unknown): boolean => error instanceof HearthError && error.code === "invalid_request";

/** Returns how much of a prompt has been read: what was cached took no time, and is no part of it. */
function readOf({ total, cache, processed, time_ms, phase, looked }: PromptProgress): Reading | undefined {
  const [all, done] = [total - cache, processed - cache];
  if (all <= 0) return undefined;
  const left = time_ms > 0 && done > 0 ? ((time_ms / 1000) * (all - done)) / done : undefined;
  const share = Math.min(1, done / all);
  // (pictures take their own time, which rows say nothing about)
  return phase === "picture" && looked !== undefined ? { share, left: undefined, looked } : { share, left };
}

/** Measures the time to the first token, and the speed from then on. */
class AnswerClock {
  readonly #start = performance.now();
  #first: { at: number; tokens: number } | undefined;
  #last = this.#start;
  #tokens = 0;
  #begun: number | undefined;

  /** Notes that text has come: some servers count tokens only at the end of an answer. */
  begin(): void {
    this.#begun ??= performance.now();
  }

  tick(usage: CompletionUsage): AnswerStats {
    const { completion_tokens, completion_tokens_details: drafts, prompt_tokens, prompt_tokens_details } = usage;
    if (completion_tokens > this.#tokens) {
      this.#tokens = completion_tokens;
      this.#last = performance.now();
      this.#first ??=
        this.#begun === undefined ? { at: this.#last, tokens: completion_tokens } : { at: this.#begun, tokens: 1 };
    }
    const first = this.#first;
    const seconds = first === undefined ? 0 : (this.#last - first.at) / 1000;
    return {
      tokens: this.#tokens,
      drafted: Math.min(drafts.accepted_prediction_tokens, this.#tokens),
      rejected: drafts.rejected_prediction_tokens,
      prompt: prompt_tokens,
      cached: prompt_tokens_details.cached_tokens,
      firstToken: first === undefined ? null : (first.at - this.#start) / 1000,
      tokensPerSecond: first === undefined || seconds <= 0 ? null : (this.#tokens - first.tokens) / seconds,
    };
  }
}
