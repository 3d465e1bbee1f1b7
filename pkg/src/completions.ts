/** `engine.chat.completions` and `engine.completions`: OpenAI's create(), answered by the worker. */
import { toHearthError } from "./errors.js";
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
} from "./openai.js";
import { ReasoningSplit, type Parts } from "./reasoning.js";
import { toChatRequests, toTextRequests } from "./request.js";
import { Answer, followSignals, type Runner } from "./runner.js";
import { CompletionStream } from "./stream.js";
import type { GenerateRequest, Step } from "./wasm-contract.js";

/** Of a chat. */
export type ChatCompletionStream = CompletionStream<ChatCompletionChunk>;

export class Completions {
  readonly #runner: Runner;

  constructor(runner: Runner) {
    this.#runner = runner;
  }

  create(params: ChatCompletionCreateParamsNonStreaming, options?: RequestOptions): Promise<ChatCompletion>;
  create(params: ChatCompletionCreateParamsStreaming, options?: RequestOptions): Promise<ChatCompletionStream>;
  create(params: ChatCompletionCreateParams, options?: RequestOptions): Promise<ChatCompletion | ChatCompletionStream>;
  // Async, so that an invalid request rejects instead of throwing.
  async create(
    params: ChatCompletionCreateParams,
    options: RequestOptions = {},
  ): Promise<ChatCompletion | ChatCompletionStream> {
    const requests = toChatRequests(params);
    const withIds = params.return_token_ids === true;
    const head = this.#runner.head("chatcmpl");
    const splits = params.reasoning_format === "none" ? [] : requests.map(() => new ReasoningSplit());
    const apart = (text: string, isLast: boolean, index: number): Parts =>
      splits[index]?.feed(text, isLast) ?? { reasoning: "", content: text };
    if (params.stream === true) {
      const chunkHead = { ...head, object: "chat.completion.chunk" as const };
      const choice = (index: number): ChatCompletionChunk["choices"][number] => ({
        index,
        delta: {},
        finish_reason: null,
        logprobs: null,
      });
      return streamed<ChatCompletionChunk>(this.#runner, requests, params, options, {
        begin: (index) => ({
          ...chunkHead,
          choices: [{ ...choice(index), delta: { role: "assistant", content: "" } }],
        }),
        step: ({ text, ids, finish_reason }, index) => {
          const { reasoning, content } = apart(text, finish_reason !== null, index);
          // A token may be part of a character or a tag only; then its id is known before its text.
          if (reasoning === "" && content === "" && !(withIds && ids.length > 0)) return undefined;
          const delta: ChatCompletionChunk["choices"][number]["delta"] = {};
          if (reasoning !== "") delta.reasoning_content = reasoning;
          if (content !== "" || reasoning === "") delta.content = content;
          return {
            ...chunkHead,
            choices: [{ ...choice(index), delta, ...(withIds ? { token_ids: ids } : {}) }],
          };
        },
        end: (finish_reason, index) => ({ ...chunkHead, choices: [{ ...choice(index), finish_reason }] }),
        usage: (usage) => ({ ...chunkHead, choices: [], usage }),
      });
    }
    const { answers, usage } = await whole(this.#runner, requests, params, options);
    const choices = answers.map(({ text, ids, finish_reason }, index) => {
      const { reasoning, content } = apart(text, true, index);
      return {
        index,
        message: {
          role: "assistant" as const,
          content,
          refusal: null,
          ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
        },
        finish_reason: finish_reason ?? "stop",
        logprobs: null,
        ...(withIds ? { token_ids: ids } : {}),
      };
    });
    return { ...head, object: "chat.completion", choices, usage };
  }
}

/** Text that goes on, without a chat template. */
export class TextCompletions {
  readonly #runner: Runner;

  constructor(runner: Runner) {
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
    const chunk = (index: number, text: string, finish_reason: Step["finish_reason"], ids: number[]): Completion => ({
      ...head,
      choices: [{ index, text, finish_reason, logprobs: null, ...(withIds ? { token_ids: ids } : {}) }],
    });
    if (params.stream === true) {
      return streamed<Completion>(this.#runner, requests, params, options, {
        begin: (index) => (params.echo === true ? chunk(index, echo(index), null, []) : undefined),
        step: ({ text, ids }, index) =>
          text === "" && !(withIds && ids.length > 0) ? undefined : chunk(index, text, null, ids),
        end: (finish_reason, index) => chunk(index, "", finish_reason, []),
        usage: (usage) => ({ ...head, choices: [], usage }),
      });
    }
    const { answers, usage } = await whole(this.#runner, requests, params, options);
    const choices = answers.flatMap(
      ({ text, ids, finish_reason }, index) => chunk(index, echo(index) + text, finish_reason ?? "stop", ids).choices,
    );
    return { ...head, choices, usage };
  }
}

type Signals = Pick<ChatCompletionCreateParams, "signal">;

async function whole(
  runner: Runner,
  requests: GenerateRequest[],
  params: Signals,
  options: RequestOptions,
): Promise<{ answers: Answer[]; usage: CompletionUsage }> {
  const { controller, unlink } = followSignals([params.signal, options.signal]);
  const answers = requests.map(() => new Answer());
  try {
    const usage = await runner.all(requests, controller.signal, (step, index) => answers[index]?.add(step));
    return { answers, usage };
  } finally {
    unlink();
  }
}

/** How an API says what happens; undefined for what it does not say. */
interface Chunks<Chunk> {
  begin(index: number): Chunk | undefined;
  step(step: Step, index: number): Chunk | undefined;
  end(finish_reason: NonNullable<Step["finish_reason"]>, index: number): Chunk;
  usage(usage: CompletionUsage): Chunk;
}

function streamed<Chunk extends { usage?: CompletionUsage | null }>(
  runner: Runner,
  requests: GenerateRequest[],
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
  for (const index of requests.keys()) push(chunks.begin(index));
  const onStep = (step: Step, index: number): void => {
    push(chunks.step(step, index), step);
    if (step.finish_reason !== null) push(chunks.end(step.finish_reason, index), step);
  };
  runner
    .all(requests, controller.signal, onStep)
    .then(
      (usage) => {
        if (include_usage) producer.push(chunks.usage(usage));
        producer.close();
      },
      (error: unknown) => {
        producer.fail(toHearthError(error));
      },
    )
    .finally(unlink);
  return stream;
}
