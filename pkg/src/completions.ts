/** `engine.chat.completions`: OpenAI's create(), answered by the worker. */
import { cancelled, HearthError, toHearthError } from "./errors.js";
import type { Lock } from "./lock.js";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionCreateParams,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionCreateParamsStreaming,
  FinishReason,
  RequestOptions,
} from "./openai.js";
import { toGenerateRequest } from "./request.js";
import { ChatCompletionStream } from "./stream.js";
import type { GenerateRequest, Step } from "./wasm-contract.js";

/** Sends one request to the worker; settles when the worker is free again. */
export type Generate = (
  request: GenerateRequest,
  options: { signal: AbortSignal; onStep: (step: Step) => void },
) => Promise<unknown>;

type Run = (onStep: (step: Step) => void) => Promise<void>;

export class Completions {
  readonly #generate: Generate;
  readonly #model: string;
  /** One engine has one context, so requests wait for each other here. */
  readonly #queue: Lock;

  constructor(model: string, queue: Lock, generate: Generate) {
    this.#model = model;
    this.#queue = queue;
    this.#generate = generate;
  }

  create(params: ChatCompletionCreateParamsNonStreaming, options?: RequestOptions): Promise<ChatCompletion>;
  create(params: ChatCompletionCreateParamsStreaming, options?: RequestOptions): Promise<ChatCompletionStream>;
  create(params: ChatCompletionCreateParams, options?: RequestOptions): Promise<ChatCompletion | ChatCompletionStream>;
  // Async, so that an invalid request rejects instead of throwing.
  async create(
    params: ChatCompletionCreateParams,
    options: RequestOptions = {},
  ): Promise<ChatCompletion | ChatCompletionStream> {
    const request = toGenerateRequest(params);
    const controller = new AbortController();
    const unlink = linkSignals([params.signal, options.signal], controller);
    const run: Run = (onStep) => this.#run(request, controller.signal, onStep).finally(unlink);
    return params.stream === true
      ? this.#stream(run, controller, params)
      : await this.#complete(run, params.return_token_ids === true);
  }

  /** Rejects at the abort, while the queue waits on until the worker has really stopped. */
  #run(request: GenerateRequest, signal: AbortSignal, onStep: (step: Step) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(cancelled(signal.reason));
      };
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener("abort", onAbort, { once: true });
      const deliver = (step: Step): void => {
        if (!signal.aborted) onStep(step);
      };
      this.#queue
        .run(() => (signal.aborted ? undefined : this.#generate(request, { signal, onStep: deliver })))
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

  async #complete(run: Run, withIds: boolean): Promise<ChatCompletion> {
    const head = this.#head();
    const ids: number[] = [];
    let content = "";
    let last: Step | undefined;
    await run((step) => {
      content += step.text;
      ids.push(...step.ids);
      last = step;
    });
    if (last === undefined) throw new HearthError("internal_error", "the worker answered without a step");
    const choice: ChatCompletion["choices"][number] = {
      index: 0,
      message: { role: "assistant", content, refusal: null },
      finish_reason: last.finish_reason ?? "stop",
      logprobs: null,
    };
    if (withIds) choice.token_ids = ids;
    return { ...head, object: "chat.completion", choices: [choice], usage: last.usage };
  }

  #stream(run: Run, controller: AbortController, params: ChatCompletionCreateParamsStreaming): ChatCompletionStream {
    const { stream, producer } = ChatCompletionStream.create(controller);
    const head = { ...this.#head(), object: "chat.completion.chunk" as const };
    const { include_usage, continuous_usage_stats } = params.stream_options ?? {};
    const withIds = params.return_token_ids === true;
    type Choice = ChatCompletionChunk["choices"][number];
    const push = (delta: Choice["delta"], finish_reason: FinishReason | null, step?: Step, ids?: number[]): void => {
      const choice: Choice = { index: 0, delta, finish_reason, logprobs: null };
      if (withIds && ids !== undefined) choice.token_ids = ids;
      const chunk: ChatCompletionChunk = { ...head, choices: [choice] };
      if (continuous_usage_stats && step !== undefined) chunk.usage = step.usage;
      else if (include_usage) chunk.usage = null;
      producer.push(chunk);
    };
    push({ role: "assistant", content: "" }, null);
    run((step) => {
      // A token may be part of a character only; then its id is known before its text.
      if (step.text !== "" || (withIds && step.ids.length > 0)) push({ content: step.text }, null, step, step.ids);
      if (step.finish_reason === null) return;
      push({}, step.finish_reason, step);
      if (include_usage) producer.push({ ...head, choices: [], usage: step.usage });
    }).then(
      () => {
        producer.close();
      },
      (error: unknown) => {
        producer.fail(toHearthError(error));
      },
    );
    return stream;
  }

  #head(): { id: string; created: number; model: string } {
    const random = crypto.getRandomValues(new Uint32Array(4));
    const id = Array.from(random, (word) => word.toString(16).padStart(8, "0")).join("");
    return { id: `chatcmpl-${id}`, created: Math.floor(Date.now() / 1000), model: this.#model };
  }
}

/** Makes the controller follow the caller's signals; gives the function that lets go of them. */
function linkSignals(signals: (AbortSignal | null | undefined)[], controller: AbortController): () => void {
  const links: (() => void)[] = [];
  for (const signal of signals) {
    if (!signal) continue;
    const onAbort = (): void => {
      controller.abort(signal.reason);
    };
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    links.push(() => {
      signal.removeEventListener("abort", onAbort);
    });
  }
  return () => {
    for (const unlink of links) unlink();
  };
}
