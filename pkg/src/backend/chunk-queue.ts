/** The chunks of an answer between the steps that make them and the reader that takes them. */
import type { HearthError } from "../core/errors.js";

interface Waiter<Chunk> {
  resolve(result: IteratorResult<Chunk, undefined>): void;
  reject(error: HearthError): void;
}

/** After a failure the iterator throws, once it has returned the chunks pushed until then. */
export class ChunkQueue<Chunk> implements AsyncIterable<Chunk> {
  readonly #chunks: Chunk[] = [];
  readonly #waiters: Waiter<Chunk>[] = [];
  #end: HearthError | "done" | undefined;

  [Symbol.asyncIterator](): AsyncIterator<Chunk, undefined> {
    return {
      next: () => this.#next(),
      return: () => {
        this.#chunks.length = 0;
        this.#close("done");
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  push(chunk: Chunk): void {
    if (this.#end !== undefined) return;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#chunks.push(chunk);
    else waiter.resolve({ done: false, value: chunk });
  }

  close(): void {
    this.#close("done");
  }

  fail(error: HearthError): void {
    this.#close(error);
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
