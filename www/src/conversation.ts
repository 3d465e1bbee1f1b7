/** One conversation: its messages, and the request that runs. */
import { HearthError, type ChatCompletionMessageParam, type CompletionUsage, type Engine } from "hearth";
import type { AnswerStats, LogView } from "./log-view.js";
import type { Sampling } from "./params.js";

export interface ConversationEvents {
  onRunning(isRunning: boolean): void;
  onUsage(usage: CompletionUsage): void;
  /** The request failed; the question is back in the caller's hands. */
  onError(error: unknown, question: string): void;
}

export class Conversation {
  readonly #engine: Engine;
  readonly #log: LogView;
  readonly #sampling: Sampling;
  readonly #events: ConversationEvents;
  readonly #messages: ChatCompletionMessageParam[] = [];
  #abort: AbortController | undefined;

  constructor(engine: Engine, log: LogView, sampling: Sampling, events: ConversationEvents) {
    this.#engine = engine;
    this.#log = log;
    this.#sampling = sampling;
    this.#events = events;
  }

  get isRunning(): boolean {
    return this.#abort !== undefined;
  }

  /** Ends the running answer; what has been said so far stays. */
  stop(): void {
    this.#abort?.abort();
  }

  /** Asks; `isRetry` leaves out the question's bubble, which is there from the first try. */
  async send(question: string, isRetry = false): Promise<void> {
    if (this.isRunning) return;
    const abort = new AbortController();
    this.#abort = abort;
    this.#events.onRunning(true);
    this.#log.removeErrors();
    if (!isRetry) this.#log.addUser(question);
    const answer = this.#log.addAnswer();
    const clock = new AnswerClock();
    const messages: ChatCompletionMessageParam[] = [...this.#messages, { role: "user", content: question }];
    try {
      const stream = await this.#engine.chat.completions.create(
        {
          messages,
          ...this.#sampling,
          stream: true,
          stream_options: { include_usage: true, continuous_usage_stats: true },
        },
        { signal: abort.signal },
      );
      for await (const { choices, usage } of stream) {
        const choice = choices[0];
        const content = choice?.delta.content;
        if (usage) {
          clock.tick(usage);
          this.#events.onUsage(usage);
        }
        answer.think(choice?.delta.reasoning_content ?? "");
        if (content) answer.append(content);
        if (choice?.finish_reason) clock.end = choice.finish_reason === "tool_calls" ? "stop" : choice.finish_reason;
        answer.showStats(clock.stats);
      }
    } catch (error) {
      if (!abort.signal.aborted || !(error instanceof HearthError) || error.code !== "cancelled") {
        answer.remove();
        this.#finish();
        this.#events.onError(error, question);
        return;
      }
      clock.end = "stopped";
    }
    answer.finish(clock.stats);
    this.#messages.push({ role: "user", content: question }, { role: "assistant", content: answer.text });
    this.#finish();
  }

  #finish(): void {
    this.#abort = undefined;
    this.#events.onRunning(false);
  }
}

/** Time to the first token, and the speed from there on. */
class AnswerClock {
  end: AnswerStats["end"] = "running";
  readonly #start = performance.now();
  #first: { at: number; tokens: number } | undefined;
  #last = this.#start;
  #tokens = 0;
  #drafted = 0;

  tick({
    completion_tokens: tokens,
    completion_tokens_details: { accepted_prediction_tokens },
  }: CompletionUsage): void {
    if (tokens <= this.#tokens) return;
    this.#drafted = Math.min(accepted_prediction_tokens, tokens);
    this.#tokens = tokens;
    this.#last = performance.now();
    this.#first ??= { at: this.#last, tokens };
  }

  get stats(): AnswerStats {
    const first = this.#first;
    const seconds = first === undefined ? 0 : (this.#last - first.at) / 1000;
    return {
      tokens: this.#tokens,
      drafted: this.#drafted,
      firstToken: first === undefined ? undefined : (first.at - this.#start) / 1000,
      tokensPerSecond: first === undefined || seconds <= 0 ? undefined : (this.#tokens - first.tokens) / seconds,
      end: this.end,
    };
  }
}
