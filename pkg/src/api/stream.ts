/**
 * A streamed answer: an async iterable of chunks with the interface of the stream in OpenAI's client.
 *
 * Leaving the loop cancels the request. After an abort the iterator throws `cancelled`, once it has returned the chunks
 * received until then.
 */
import { asHearthError } from "./signals.js";

export class CompletionStream<Chunk> implements AsyncIterable<Chunk> {
  /** Controller whose abort cancels the request. */
  readonly controller: AbortController;
  readonly #source: AsyncIterator<Chunk>;
  readonly #onEnd: () => void;
  #isOver = false;

  /**
   * Creates the stream of a backend's chunks, which the controller ends.
   *
   * @internal
   */
  constructor(source: AsyncIterable<Chunk>, controller: AbortController, onEnd: () => void) {
    this.#source = source[Symbol.asyncIterator]();
    this.controller = controller;
    this.#onEnd = onEnd;
  }

  [Symbol.asyncIterator](): AsyncIterator<Chunk, undefined> {
    return {
      next: () => this.#next(),
      return: async () => {
        this.controller.abort();
        this.#finish();
        await this.#source.return?.();
        return { done: true, value: undefined };
      },
    };
  }

  /** Returns the chunks as lines of JSON in UTF-8, as OpenAI's client does, for instance for a Response body. */
  toReadableStream(): ReadableStream<Uint8Array> {
    const iterator = this[Symbol.asyncIterator]();
    const encoder = new TextEncoder();
    return new ReadableStream<Uint8Array>({
      async pull(controller) {
        try {
          const result = await iterator.next();
          if (result.done) controller.close();
          else controller.enqueue(encoder.encode(`${JSON.stringify(result.value)}\n`));
        } catch (error) {
          controller.error(error);
        }
      },
      async cancel() {
        await iterator.return?.();
      },
    });
  }

  async #next(): Promise<IteratorResult<Chunk, undefined>> {
    if (this.#isOver) return { done: true, value: undefined };
    try {
      const result = await this.#source.next();
      if (result.done !== true) return result;
      this.#finish();
      return { done: true, value: undefined };
    } catch (error) {
      this.#finish();
      throw asHearthError(error, this.controller.signal);
    }
  }

  #finish(): void {
    this.#isOver = true;
    this.#onEnd();
  }
}
