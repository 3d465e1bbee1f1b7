/** `engine.chat.completions` and `engine.completions`: OpenAI's create(), answered by the worker. */
import { toHearthError } from "../core/errors.js";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionCreateParams,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionStreamOptions,
  Completion,
  CompletionCreateParams,
  CompletionCreateParamsNonStreaming,
  CompletionCreateParamsStreaming,
  CompletionUsage,
  RequestOptions,
  Timings,
} from "./openai.js";
import { AnswerReader, toChoice } from "../answer/answer.js";
import { toLogprobs, toTextLogprobs } from "../answer/logprobs.js";
import type { AnswerRequest } from "../core/protocol.js";
import { toChatRequests, toTextRequests } from "../request/request.js";
import { Answer, followSignals, type RequestQueue } from "../backend/queue.js";
import { CompletionStream } from "./stream.js";
import { Stopwatch } from "../answer/timings.js";
import type { ModelStyle } from "../tools/plan.js";
import type { Step } from "../core/wasm-contract.js";

/** Stream of a chat completion's chunks. */
export type ChatCompletionStream = CompletionStream<ChatCompletionChunk>;

export class Completions {
  readonly #runner: RequestQueue;
  readonly #style: ModelStyle;

  constructor(runner: RequestQueue, style: ModelStyle) {
    this.#runner = runner;
    this.#style = style;
  }

  create(params: ChatCompletionCreateParamsNonStreaming, options?: RequestOptions): Promise<ChatCompletion>;
  create(params: ChatCompletionCreateParamsStreaming, options?: RequestOptions): Promise<ChatCompletionStream>;
  create(params: ChatCompletionCreateParams, options?: RequestOptions): Promise<ChatCompletion | ChatCompletionStream>;
  // Async, so that an invalid request rejects instead of throwing.
  async create(
    params: ChatCompletionCreateParams,
    options: RequestOptions = {},
  ): Promise<ChatCompletion | ChatCompletionStream> {
    const { requests, plan } = toChatRequests(params, this.#style);
    const withIds = params.return_token_ids === true;
    const head = this.#runner.head("chatcmpl");
    if (params.stream !== true) {
      const { answers, ...used } = await whole(this.#runner, requests, params, options);
      const choices = answers.map((answer, index) => toChoice(answer, index, plan, withIds));
      return { ...head, object: "chat.completion", choices, ...used };
    }
    const chunkHead = { ...head, object: "chat.completion.chunk" as const };
    const chunk = (index: number, choice: Partial<ChatChunkChoice>): ChatCompletionChunk => ({
      ...chunkHead,
      choices: [{ index, delta: {}, finish_reason: null, logprobs: null, ...choice }],
    });
    const readers = requests.map(() => new AnswerReader(plan));
    return streamed<ChatCompletionChunk>(this.#runner, requests, params, options, {
      begin: (index) => chunk(index, { delta: { role: "assistant", content: "" } }),
      step: (step, index) => {
        const delta = readers[index]?.read(step) ?? {};
        const logprobs = toLogprobs(step.logprobs);
        // A token may be only part of a character or a tag; then its id is known before its text.
        const isEmpty = Object.keys(delta).length === 0;
        if (isEmpty && logprobs === null && !(withIds && step.ids.length > 0)) return undefined;
        return chunk(index, {
          delta: isEmpty ? { content: "" } : delta,
          logprobs,
          ...(withIds ? { token_ids: step.ids } : {}),
        });
      },
      end: (reason, index) => chunk(index, { finish_reason: readers[index]?.finishReason(reason) ?? reason }),
      usage: (usage) => ({ ...chunkHead, choices: [], usage }),
    });
  }
}

type ChatChunkChoice = ChatCompletionChunk["choices"][number];

/** Completions that continue a text without a chat template. */
export class TextCompletions {
  readonly #runner: RequestQueue;

  constructor(runner: RequestQueue) {
    this.#runner = runner;
  }

  create(params: CompletionCreateParamsNonStreaming, options?: RequestOptions): Promise<Completion>;
  create(params: CompletionCreateParamsStreaming, options?: RequestOptions): Promise<CompletionStream<Completion>>;
  create(params: CompletionCreateParams, options?: RequestOptions): Promise<Completion | CompletionStream<Completion>>;
  async create(
    params: CompletionCreateParams,
    options: RequestOptions = {},
  ): Promise<Completion | CompletionStream<Completion>> {
    const requests = toTextRequests(params);
    const withIds = params.return_token_ids === true;
    const head = { ...this.#runner.head("cmpl"), object: "text_completion" as const };
    const echo = (index: number): string => (params.echo === true ? (requests[index]?.prompt ?? "") : "");
    const chunk = (
      index: number,
      text: string,
      finish_reason: Step["finish_reason"],
      { ids, logprobs }: Pick<Step, "ids" | "logprobs"> = { ids: [], logprobs: [] },
      offset = 0,
    ): Completion => ({
      ...head,
      choices: [
        {
          index,
          text,
          finish_reason,
          logprobs: toTextLogprobs(logprobs, offset),
          ...(withIds ? { token_ids: ids } : {}),
        },
      ],
    });
    const offsets = requests.map((_, index) => echo(index).length);
    if (params.stream === true) {
      return streamed<Completion>(this.#runner, requests, params, options, {
        begin: (index) => (params.echo === true ? chunk(index, echo(index), null) : undefined),
        step: (step, index) => {
          const { text, ids, logprobs } = step;
          const offset = offsets[index] ?? 0;
          offsets[index] = offset + text.length;
          const isEmpty = text === "" && logprobs.length === 0 && !(withIds && ids.length > 0);
          return isEmpty ? undefined : chunk(index, text, null, step, offset);
        },
        end: (finish_reason, index) => chunk(index, "", finish_reason),
        usage: (usage) => ({ ...head, choices: [], usage }),
      });
    }
    const { answers, ...used } = await whole(this.#runner, requests, params, options);
    const choices = answers.flatMap(
      (answer, index) =>
        chunk(index, echo(index) + answer.text, answer.finish_reason ?? "stop", answer, echo(index).length).choices,
    );
    return { ...head, choices, ...used };
  }
}

type Signals = Pick<ChatCompletionCreateParams, "signal">;

async function whole(
  runner: RequestQueue,
  requests: AnswerRequest[],
  params: Signals,
  options: RequestOptions,
): Promise<{ answers: Answer[]; usage: CompletionUsage; timings: Timings }> {
  const { controller, unlink } = followSignals([params.signal, options.signal]);
  const answers = requests.map(() => new Answer());
  try {
    const watch = new Stopwatch();
    const usage = await runner.all(requests, controller.signal, watch, (step, index) => answers[index]?.add(step));
    return { answers, usage, timings: watch.timings() };
  } finally {
    unlink();
  }
}

/** Builders of one API's chunks; a builder returns undefined for events that the API does not report. */
interface Chunks<Chunk> {
  begin(index: number): Chunk | undefined;
  step(step: Step, index: number): Chunk | undefined;
  end(finish_reason: NonNullable<Step["finish_reason"]>, index: number): Chunk;
  usage(usage: CompletionUsage): Chunk;
}

function streamed<Chunk extends { usage?: CompletionUsage | null; timings?: Timings }>(
  runner: RequestQueue,
  requests: AnswerRequest[],
  params: Signals & { stream_options?: ChatCompletionStreamOptions | null },
  options: RequestOptions,
  chunks: Chunks<Chunk>,
): CompletionStream<Chunk> {
  const { controller, unlink } = followSignals([params.signal, options.signal]);
  const { stream, producer } = CompletionStream.create<Chunk>(controller);
  const { include_usage, continuous_usage_stats } = params.stream_options ?? {};
  const push = (chunk: Chunk | undefined, step?: Step): void => {
    if (chunk === undefined) return;
    if (continuous_usage_stats && step !== undefined) producer.push({ ...chunk, usage: step.usage });
    else producer.push(include_usage ? { ...chunk, usage: null } : chunk);
  };
  const watch = new Stopwatch();
  for (const index of requests.keys()) push(chunks.begin(index));
  const onStep = (step: Step, index: number): void => {
    push(chunks.step(step, index), step);
    if (step.finish_reason === null) return;
    const isLast = !include_usage && index === requests.length - 1;
    push({ ...chunks.end(step.finish_reason, index), ...(isLast ? { timings: watch.timings() } : {}) }, step);
  };
  runner
    .all(requests, controller.signal, watch, onStep)
    .then(
      (usage) => {
        if (include_usage) producer.push({ ...chunks.usage(usage), timings: watch.timings() });
        producer.close();
      },
      (error: unknown) => {
        producer.fail(toHearthError(error));
      },
    )
    .finally(unlink);
  return stream;
}
