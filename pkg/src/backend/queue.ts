/** The requests of one engine: run one after another, each obeying the caller's signals. */
import { cancelled, toHearthError } from "../core/errors.js";
import { Lock } from "../core/lock.js";
import type { AnswerRequest } from "../core/protocol.js";
import type { Stopwatch } from "../answer/timings.js";
import type { TokenDelta, Usage } from "../core/wasm-contract.js";

/** Sends one request to the worker; settles when the worker is free again. */
export type Generate = (
  request: AnswerRequest,
  options: { signal: AbortSignal; onDelta: (delta: TokenDelta) => void },
) => Promise<unknown>;

export class RequestQueue {
  readonly #generate: Generate;
  /** Held by one request at a time: an engine has one context. */
  readonly #lock = new Lock();

  constructor(generate: Generate) {
    this.#generate = generate;
  }

  /** Runs requests in order and returns their total usage. */
  async all(
    requests: AnswerRequest[],
    signal: AbortSignal,
    watch: Stopwatch,
    onDelta: (delta: TokenDelta, index: number) => void,
  ): Promise<Usage> {
    let sum: Usage | undefined;
    for (const [index, request] of requests.entries()) {
      let last: Usage | undefined;
      await this.#one(request, signal, watch, (delta) => {
        last = delta.usage;
        onDelta(delta, index);
      });
      // A repeated prompt counts once, as in OpenAI's API.
      const isSame = index > 0 && request.prompt === requests[index - 1]?.prompt;
      if (last !== undefined) sum = sum === undefined ? last : added(sum, last, isSame);
    }
    if (sum === undefined) throw toHearthError(new Error("the worker answered without a step"));
    return sum;
  }

  /** Runs other work that needs the engine's context, such as embeddings, in its turn. */
  run<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    return this.#lock.run(task);
  }

  /** Runs one request. Rejects at once on abort, while the queue keeps waiting until the worker has really stopped. */
  #one(
    request: AnswerRequest,
    signal: AbortSignal,
    watch: Stopwatch,
    onDelta: (delta: TokenDelta) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(cancelled(signal.reason));
      };
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener("abort", onAbort, { once: true });
      const deliver = (delta: TokenDelta): void => {
        watch.take(delta);
        if (!signal.aborted) onDelta(delta);
      };
      this.#lock
        .run(() => {
          watch.begin();
          return signal.aborted ? undefined : this.#generate(request, { signal, onDelta: deliver });
        })
        .then(
          () => {
            resolve();
          },
          (error: unknown) => {
            reject(toHearthError(error));
          },
        )
        .finally(() => {
          signal.removeEventListener("abort", onAbort);
        });
    });
  }
}

function added(a: Usage, b: Usage, isSamePrompt: boolean): Usage {
  const prompt_tokens = a.prompt_tokens + (isSamePrompt ? 0 : b.prompt_tokens);
  const completion_tokens = a.completion_tokens + b.completion_tokens;
  const [x, y] = [a.completion_tokens_details, b.completion_tokens_details];
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    prompt_tokens_details: {
      cached_tokens: a.prompt_tokens_details.cached_tokens + (isSamePrompt ? 0 : b.prompt_tokens_details.cached_tokens),
    },
    completion_tokens_details: {
      accepted_prediction_tokens: x.accepted_prediction_tokens + y.accepted_prediction_tokens,
      rejected_prediction_tokens: x.rejected_prediction_tokens + y.rejected_prediction_tokens,
    },
  };
}
