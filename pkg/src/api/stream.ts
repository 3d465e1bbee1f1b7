/**
 * A streamed answer: an async iterable of chunks with the interface of the stream in OpenAI's client.
 *
 * Leaving the loop cancels the request. After an abort the iterator throws `cancelled`, once it has returned the chunks
 * received until then.
 */
import { HearthError } from "../core/errors.js";

interface Waiter<Chunk> {
  resolve(result: IteratorResult<Chunk, undefined>): void;
  reject(error: HearthError): void;
}

export class CompletionStream<Chunk> implements AsyncIterable<Chunk> {
  /** Controller whose abort cancels the request. */
  readonly controller: AbortController;
  readonly #chunks: Chunk[] = [];
  readonly #waiters: Waiter<Chunk>[] = [];
  #end: HearthError | "done" | undefined;

  private constructor(controller: AbortController) {
    this.controller = controller;
  }

  /**
   * Returns a stream and the handle through which its producer fills it.
   *
   * @internal
   */
  static create<Chunk>(controller: AbortController): {
    stream: CompletionStream<Chunk>;
    producer: StreamProducer<Chunk>;
  } {
    const stream = new CompletionStream<Chunk>(controller);
    const producer: StreamProducer<Chunk> = {
      push: (chunk) => {
        stream.#push(chunk);
      },
      close: () => {
        stream.#close("done");
      },
      fail: (error) => {
        stream.#close(error);
      },
    };
    return { stream, producer };
  }

  [Symbol.asyncIterator](): AsyncIterator<Chunk, undefined> {
    return {
      next: () => this.#next(),
      return: () => {
        this.controller.abort();
        this.#chunks.length = 0;
        this.#close("done");
        return Promise.resolve({ done: true, value: undefined });
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

  #next(): Promise<IteratorResult<Chunk, undefined>> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) return Promise.resolve({ done: false, value: chunk });
    if (this.#end === "done") return Promise.resolve({ done: true, value: undefined });
    if (this.#end !== undefined) {
      const error = this.#end;
      this.#end = "done";
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  #push(chunk: Chunk): void {
    if (this.#end !== undefined) return;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#chunks.push(chunk);
    else waiter.resolve({ done: false, value: chunk });
  }

  #close(end: HearthError | "done"): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    const [first, ...rest] = this.#waiters.splice(0);
    if (first === undefined) return;
    if (end === "done") {
      first.resolve({ done: true, value: undefined });
    } else {
      this.#end = "done";
      first.reject(end);
    }
    for (const waiter of rest) waiter.resolve({ done: true, value: undefined });
  }
}

export interface StreamProducer<Chunk> {
  push(chunk: Chunk): void;
  close(): void;
  fail(error: HearthError): void;
}
