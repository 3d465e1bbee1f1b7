/** `translations`: texts in another language, by a chat model or by one made for it. The parts that do it are fetched with the first request. */
import { ChunkQueue } from "../backend/chunk-queue.js";
import type { Sent } from "../backend/backend.js";
import { toHearthError } from "../core/errors.js";
import type { Interpreter } from "../translations/interpreter.js";
import type { Job } from "../translations/run.js";
import type {
  TranslationCreateParams,
  TranslationCreateParamsNonStreaming,
  TranslationCreateParamsStreaming,
  TranslationLanguages,
  TranslationList,
  TranslationStreamEvent,
} from "../translations/types.js";
import type { RequestOptions } from "./openai.js";
import { streamed, whole } from "./request.js";
import type { CompletionStream } from "./stream.js";

/** Stream of a translation's events. */
export type TranslationStream = CompletionStream<TranslationStreamEvent>;

export class Translations {
  readonly #open: () => Promise<Interpreter>;

  /** @internal */
  constructor(open: () => Promise<Interpreter>) {
    this.#open = open;
  }

  create(params: TranslationCreateParamsStreaming, options?: RequestOptions): Promise<TranslationStream>;
  create(params: TranslationCreateParamsNonStreaming, options?: RequestOptions): Promise<TranslationList>;
  create(params: TranslationCreateParams, options?: RequestOptions): Promise<TranslationList | TranslationStream>;
  // Async, so that an invalid request rejects instead of throwing.
  async create(
    params: TranslationCreateParams,
    options: RequestOptions = {},
  ): Promise<TranslationList | TranslationStream> {
    if (params.stream === true) return streamed(params, options, (sent, { signal }) => this.#stream(sent, signal));
    return whole(params, options, async (sent, { signal }) => (await this.#job(sent)).run(signal));
  }

  /** Returns the languages that the model has, as far as they are known. */
  async languages(): Promise<TranslationLanguages> {
    return (await this.#open()).languages;
  }

  async #stream(
    params: Sent<TranslationCreateParams>,
    signal: AbortSignal,
  ): Promise<AsyncIterable<TranslationStreamEvent>> {
    const job = await this.#job(params);
    const events = new ChunkQueue<TranslationStreamEvent>();
    job
      .run(signal, (event) => {
        events.push(event);
      })
      .then(
        () => {
          events.close();
        },
        (error: unknown) => {
          events.fail(toHearthError(error));
        },
      );
    return events;
  }

  async #job(params: Sent<TranslationCreateParams>): Promise<Job> {
    const { jobFor } = await import("../translations/run.js");
    return jobFor(await this.#open(), params);
  }
}
