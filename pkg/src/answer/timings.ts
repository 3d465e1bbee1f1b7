/** Durations of requests, reported as llama.cpp's server does. */
import type { Timings } from "../api/serving.js";
import type { TokenDelta } from "../core/wasm-contract.js";

/**
 * Measures requests that run one after another. The first token of each comes with its prompt, so its time counts as
 * prompt time.
 */
export class Stopwatch {
  readonly #sum = { cached: 0, prompt: 0, promptMs: 0, made: 0, later: 0, laterMs: 0 };
  #last = 0;
  /** Tokens in the first step that had any; undefined before it. */
  #first: number | undefined;

  /** Starts the clock when the worker takes a request. */
  begin(): void {
    this.#last = performance.now();
    this.#first = undefined;
  }

  take({ usage, ids, finish_reason }: TokenDelta): void {
    if (ids.length === 0 && finish_reason === null) return;
    const now = performance.now();
    this.#sum[this.#first === undefined ? "promptMs" : "laterMs"] += now - this.#last;
    this.#last = now;
    this.#first ??= usage.completion_tokens;
    if (finish_reason === null) return;
    const { cached_tokens } = usage.prompt_tokens_details;
    this.#sum.cached += cached_tokens;
    this.#sum.prompt += usage.prompt_tokens - cached_tokens;
    this.#sum.made += usage.completion_tokens;
    this.#sum.later += usage.completion_tokens - this.#first;
  }

  timings(): Timings {
    const { cached, prompt, promptMs, made, later, laterMs } = this.#sum;
    return {
      cache_n: cached,
      prompt_n: prompt,
      prompt_ms: promptMs,
      prompt_per_token_ms: ratio(promptMs, prompt),
      prompt_per_second: ratio(1000 * prompt, promptMs),
      predicted_n: made,
      predicted_ms: laterMs,
      predicted_per_token_ms: ratio(laterMs, later),
      predicted_per_second: ratio(1000 * later, laterMs),
    };
  }
}

/** Divides, returning 0 for a zero divisor because JSON has no infinity. */
function ratio(a: number, b: number): number {
  return b > 0 ? a / b : 0;
}
