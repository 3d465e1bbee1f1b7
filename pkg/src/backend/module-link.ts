/**
 * The connection to the worker of a module beside the core. The worker is replaced when it dies: the request that it had fails, and
 * the next one loads the model again, from the cache.
 */
import { cancelled, HearthError, throwIfAborted, toHearthError } from "../core/errors.js";
import { Lock } from "../core/lock.js";

/** The part of a worker's calls that a link needs. */
interface Closable {
  readonly isClosed: boolean;
  close(reason: HearthError): void;
}

export class ModuleLink<Rpc extends Closable> {
  /** Held by one run at a time. */
  readonly #turns = new Lock();
  /** Aborts the creation of a worker when the link ends. */
  readonly #renewal = new AbortController();
  readonly #open: (signal: AbortSignal) => Promise<Rpc>;
  #client: Rpc;
  #opening: Promise<Rpc> | undefined;
  #end: HearthError | undefined;

  /** `open`: creates another worker, with the model in it. */
  constructor(client: Rpc, open: (signal: AbortSignal) => Promise<Rpc>) {
    this.#client = client;
    this.#open = open;
  }

  /**
   * Runs a task in its turn. Rejects at once on abort, while the next one waits until the worker has really stopped.
   */
  inTurn<Result>(signal: AbortSignal, task: (client: Rpc) => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(cancelled(signal.reason));
      };
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener("abort", onAbort, { once: true });
      this.#turns
        .run(async () => {
          throwIfAborted(signal);
          return await task(await this.opened());
        })
        .then(resolve, (error: unknown) => {
          reject(toHearthError(error));
        })
        .finally(() => {
          signal.removeEventListener("abort", onAbort);
        });
    });
  }

  /** Worker that runs; undefined after its end. */
  get running(): Rpc | undefined {
    return this.#client.isClosed ? undefined : this.#client;
  }

  /** Ends the worker; running and later requests reject with the reason. */
  close(reason: HearthError): void {
    this.#end ??= reason;
    this.#renewal.abort();
    this.#client.close(this.#end);
  }

  /** Returns the worker, or another one if it has ended. */
  async opened(): Promise<Rpc> {
    if (this.#end !== undefined) throw this.#end;
    if (!this.#client.isClosed) return this.#client;
    this.#opening ??= this.#reopen().finally(() => {
      this.#opening = undefined;
    });
    return await this.#opening;
  }

  async #reopen(): Promise<Rpc> {
    try {
      this.#client = await this.#open(this.#renewal.signal);
    } catch (error) {
      throw this.#end ?? error;
    }
    if (this.#end !== undefined) {
      this.#client.close(this.#end);
      throw this.#end;
    }
    return this.#client;
  }
}

/** Runs the first call of a worker, which loads its model. On failure or abort the worker ends. */
export async function loadInto<Rpc extends Closable, Result>(
  client: Rpc,
  signal: AbortSignal | undefined,
  call: (client: Rpc) => Promise<Result>,
): Promise<Result> {
  // Ending the worker is the only way to stop a load that works in every phase.
  const onAbort = (): void => {
    client.close(cancelled(signal?.reason));
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await call(client);
  } catch (error) {
    client.close(toHearthError(error));
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}
