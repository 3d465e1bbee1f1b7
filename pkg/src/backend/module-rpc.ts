/** The calls to the worker of a module beside the core: matches replies to calls, and ends every call when the worker ends. */
import { NOT_FOUND_HINT } from "./worker-script.js";
import { cancelled, deserializeError, HearthError } from "../core/errors.js";
import type { CallTable, FromModule, ToModule } from "../core/module-protocol.js";
import type { LoadProgress } from "../core/protocol.js";

export interface ModuleCallOptions<Event> {
  signal?: AbortSignal | undefined;
  transfer?: Transferable[];
  onProgress?: ((progress: LoadProgress) => void) | undefined;
  onEvent?: ((event: Event) => void) | undefined;
}

interface Pending<Event> extends Pick<ModuleCallOptions<Event>, "onProgress" | "onEvent"> {
  resolve(result: unknown): void;
  reject(error: HearthError): void;
}

export class ModuleRpc<Calls extends CallTable<Calls>, Event> {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending<Event>>();
  #reason: HearthError | undefined;
  #nextId = 1;

  /** `purpose`: that of the worker, in messages: "speech". */
  constructor(worker: Worker, purpose: string) {
    this.#worker = worker;
    worker.onmessage = (event: MessageEvent<FromModule<Calls, Event>>) => {
      this.#receive(event.data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      // An event without a message means that no part of the script ran.
      const said = event.message || "its script was not found or could not run";
      const hint = event.message ? {} : { hint: NOT_FOUND_HINT };
      this.close(new HearthError("worker_died", `the worker for ${purpose} failed: ${said}`, hint));
    };
    worker.onmessageerror = () => {
      this.close(new HearthError("worker_died", `a message from the worker for ${purpose} could not be read`));
    };
  }

  /** Whether the worker has ended. */
  get isClosed(): boolean {
    return this.#reason !== undefined;
  }

  /**
   * Sends a call. Settles when the worker has answered, even after an abort: only then is it free for the next request.
   */
  call<K extends keyof Calls>(
    call: K,
    params: Calls[K]["params"],
    options: ModuleCallOptions<Event> = {},
  ): Promise<Calls[K]["result"]> {
    const { signal, transfer = [], onProgress, onEvent } = options;
    if (this.#reason !== undefined) return Promise.reject(this.#reason);
    if (signal?.aborted) return Promise.reject(cancelled(signal.reason));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#post({ type: "cancel", id }, []);
      };
      const settle = (): void => {
        this.#pending.delete(id);
        signal?.removeEventListener("abort", onAbort);
      };
      this.#pending.set(id, {
        resolve: (result) => {
          settle();
          resolve(result);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
        onProgress,
        onEvent,
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#post({ type: "call", id, call, params } as ToModule<Calls>, transfer);
    });
  }

  /** Ends the worker; running and later calls reject with the reason. */
  close(reason: HearthError): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#worker.terminate();
    for (const pending of [...this.#pending.values()]) pending.reject(reason);
  }

  #post(message: ToModule<Calls>, transfer: Transferable[]): void {
    this.#worker.postMessage(message, transfer);
  }

  #receive(message: FromModule<Calls, Event>): void {
    if (message.type === "fatal") {
      this.close(deserializeError(message.error));
      return;
    }
    const pending = this.#pending.get(message.id);
    switch (message.type) {
      case "result":
        pending?.resolve(message.result);
        break;
      case "error":
        pending?.reject(deserializeError(message.error));
        break;
      case "progress":
        pending?.onProgress?.(message.progress);
        break;
      case "event":
        pending?.onEvent?.(message.event);
    }
  }
}
