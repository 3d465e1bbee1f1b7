/** The remote procedure calls to the worker: matches replies to calls, and ends every call when the worker ends. */
import { cancelled, deserializeError, HearthError, stopped } from "../core/errors.js";
import type { CallName, Calls, Clocked, FromWorker, LoadProgress, ToWorker } from "../core/protocol.js";
import type { TokenDelta } from "../core/wasm-contract.js";
import { NOT_FOUND_HINT } from "./worker-script.js";

/**
 * Time limits of what the worker reports to the clock.
 *
 * The core counts the steps of a template and stops it at a limit; operations that escape the count (joined lists) are
 * stopped by this clock, together with the worker. Real templates and schemas take milliseconds.
 *
 * Starting threads takes about 50 ms. In Firefox a worker that creates workers sometimes waits forever; then the load
 * is restarted with another worker.
 */
const LIMITS_MS: Record<Clocked, number> = { template: 10_000, format: 10_000, threads: 5000 };

interface Pending {
  resolve(result: unknown): void;
  reject(error: HearthError): void;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  onDelta?: ((delta: TokenDelta) => void) | undefined;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
  transfer?: Transferable[];
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  onDelta?: ((delta: TokenDelta) => void) | undefined;
}

/** The part of a `Worker` in use, so that a worker of another tab can stand in for one of this page. */
export interface WorkerLike {
  onmessage: ((event: MessageEvent<FromWorker>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  onmessageerror: ((event: MessageEvent) => void) | null;
  postMessage(message: ToWorker, transfer: Transferable[]): void;
  terminate(): void;
}

export class WorkerRpc {
  /** Resolves with the reason when the worker has ended. */
  readonly closed: Promise<HearthError>;
  /** Whether another worker has taken over. */
  isReplaced = false;
  readonly #worker: WorkerLike;
  readonly #pending = new Map<number, Pending>();
  #resolveClosed!: (reason: HearthError) => void;
  #reason: HearthError | undefined;
  #nextId = 1;
  #clock: ReturnType<typeof setTimeout> | undefined;
  #threadsHang = false;

  constructor(worker: WorkerLike) {
    this.#worker = worker;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    worker.onmessage = (event) => {
      this.#receive(event.data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      // An event without a message means that no part of the script ran.
      const said = event.message || "its script was not found or could not run";
      const hint = event.message ? {} : { hint: NOT_FOUND_HINT };
      this.close(new HearthError("worker_died", `the worker failed: ${said}`, hint));
    };
    worker.onmessageerror = () => {
      this.close(new HearthError("worker_died", "a message from the worker could not be read"));
    };
  }

  /**
   * Sends a call. Settles when the worker has answered, even after an abort: only then is it free for the next request.
   */
  call<K extends CallName>(
    call: K,
    params: Calls[K]["params"],
    options: CallOptions = {},
  ): Promise<Calls[K]["result"]> {
    const { signal, transfer = [], onProgress, onDelta } = options;
    if (this.#reason !== undefined) return Promise.reject(this.#reason);
    if (signal?.aborted) return Promise.reject(cancelled(signal.reason));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#post({ type: "cancel", id });
      };
      const settle = (): void => {
        this.#pending.delete(id);
        signal?.removeEventListener("abort", onAbort);
      };
      this.#pending.set(id, {
        resolve: (result) => {
          settle();
          resolve(result as Calls[K]["result"]);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
        onProgress,
        onDelta,
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#post({ type: "call", id, call, params } as ToWorker, transfer);
    });
  }

  /** Ends the worker; running and later calls reject with the reason. */
  close(reason: HearthError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    clearTimeout(this.#clock);
    this.#worker.terminate();
    for (const pending of [...this.#pending.values()]) pending.reject(reason);
    this.#resolveClosed(reason);
  }

  /** Whether the worker was ended because its threads did not start; a retry with another one may succeed. */
  get threadsHang(): boolean {
    return this.#threadsHang;
  }

  /** Starts the clock of `on`, which ends the worker unless stopped in time; null stops it. */
  #watch(on: Clocked | null): void {
    clearTimeout(this.#clock);
    if (on === null) return;
    this.#clock = setTimeout(() => {
      this.#threadsHang = on === "threads";
      this.close(
        on === "threads"
          ? new HearthError("worker_died", "the CPU's threads did not start")
          : stopped(on, `it had worked for ${String(LIMITS_MS[on] / 1000)} s`),
      );
    }, LIMITS_MS[on]);
  }

  #post(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #receive(message: FromWorker): void {
    if (message.type === "fatal") {
      this.close(deserializeError(message.error));
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    switch (message.type) {
      case "result":
        pending.resolve(message.result);
        break;
      case "error":
        pending.reject(deserializeError(message.error));
        break;
      case "progress":
        pending.onProgress?.(message.progress);
        break;
      case "delta":
        pending.onDelta?.(message.delta);
        break;
      case "clock":
        this.#watch(message.on);
        break;
    }
  }
}
