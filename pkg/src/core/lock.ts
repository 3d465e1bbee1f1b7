/**
 * Runs tasks one at a time, in the order of their arrival.
 *
 * The core is single-threaded, but its calls are asynchronous: without a lock, a second call could enter an object
 * whose first call is still waiting for the GPU, which wasm-bindgen rejects with "recursive use of an object".
 */
export class Lock {
  #tail: Promise<unknown> = Promise.resolve();

  run<T>(task: () => T | Promise<T>): Promise<T> {
    const result = this.#tail.then(task);
    this.#tail = result.catch(() => undefined);
    return result;
  }
}
