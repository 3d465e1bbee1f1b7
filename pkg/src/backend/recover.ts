/**
 * The engine's connection to its worker, which survives the loss of a GPU device: the worker is restarted, the model
 * reloaded, and running requests resume. Any other failure of the worker ends the engine.
 */
import type { CallOptions, WorkerRpc } from "./rpc.js";
import { HearthError, toHearthError } from "../core/errors.js";
import type { AdapterRequest, CallName, Calls, Notice } from "../core/protocol.js";
import { sleep } from "../source/retry.js";

/** Number of losses without a single token in between after which recovery is abandoned. */
const MOST_LOSSES = 3;
/**
 * Period in which losses count while the engine is idle and makes no tokens: a laptop closed every evening loses its
 * device just as often.
 */
const LOSSES_MS = 60_000;
/** Delays before attempts to reopen: after a driver crash it takes a moment until an adapter is available. */
const REOPEN_DELAYS_MS = [0, 500, 2000];

/** Creates another worker with the same model, unless the signal fires first. */
export type Reopen = (signal: AbortSignal) => Promise<WorkerRpc>;

/** A loaded model as `LocalBackend` uses it: in a worker of this page, or wherever the tabs of a site share it. */
export interface ModelCalls {
  /** Resolves with the reason when no more calls will be answered. */
  readonly closed: Promise<HearthError>;
  /** Sends a call and retries it wherever the model is loaded next; function arguments are re-evaluated per attempt. */
  call<K extends CallName>(
    call: K,
    params: Calls[K]["params"] | (() => Calls[K]["params"]),
    options?: () => CallOptions,
  ): Promise<Calls[K]["result"]>;
  /** Ends the model; running and later calls reject with the reason. */
  close(reason: HearthError): void;
  /** Destroys the device and waits for the recovery or the end. For tests. */
  lose(): Promise<void>;
}

export class RecoveringWorker implements ModelCalls {
  readonly closed: Promise<HearthError>;
  readonly #reopen: Reopen | undefined;
  readonly #notify: (notice: Notice) => void;
  #client: WorkerRpc;
  /** Settles when there is a client, or when there will be none. */
  #ready: Promise<void> = Promise.resolve();
  #end: HearthError | undefined;
  #resolveClosed!: (reason: HearthError) => void;
  /** Times of the losses since the last token. */
  #losses: number[] = [];
  /** Number of calls not answered yet. */
  #running = 0;
  /** Adapters that the worker has. */
  #adapters: AdapterRequest[] = [];
  /** Aborts the creation of a worker when the engine ends. */
  readonly #renewal = new AbortController();

  /** Creates a connection. Without `reopen`, a lost device ends the engine. */
  constructor(client: WorkerRpc, reopen: Reopen | undefined, notify: (notice: Notice) => void) {
    this.#reopen = reopen;
    this.#notify = notify;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#client = client;
    this.#watch(client);
  }

  /** Sends a call and retries it on each replacement device; function arguments are re-evaluated per attempt. */
  async call<K extends CallName>(
    call: K,
    params: Calls[K]["params"] | (() => Calls[K]["params"]),
    options: () => CallOptions = () => ({}),
  ): Promise<Calls[K]["result"]> {
    this.#running++;
    try {
      for (;;) {
        // Closing also wakes calls that wait for a device.
        await Promise.race([this.#ready, this.closed]);
        if (this.#end !== undefined) throw this.#end;
        const client = this.#client;
        try {
          const result = await client.call(
            call,
            (typeof params === "function" ? params() : params) as Calls[K]["params"],
            this.#noting(options()),
          );
          if (call === "embed" || call === "rank") this.#losses = [];
          this.#note(call, params);
          return result;
        } catch (error) {
          const reason = toHearthError(error);
          if (reason.code !== "device_lost") throw error;
          if (!this.#replace(client, reason)) throw error;
        }
      }
    } finally {
      this.#running--;
    }
  }

  /** Remembers the adapters, which another worker needs as well. */
  #note(call: CallName, params: unknown): void {
    if (call === "addAdapter") this.#adapters.push(params as AdapterRequest);
    if (call !== "removeAdapter") return;
    const { name } = params as Calls["removeAdapter"]["params"];
    this.#adapters = this.#adapters.filter((adapter) => adapter.name !== name);
  }

  /** Clears the losses on every token: a token is progress, so a later loss does not count as a repeat. */
  #noting(options: CallOptions): CallOptions {
    const { onDelta } = options;
    if (onDelta === undefined) return options;
    return {
      ...options,
      onDelta: (step) => {
        if (step.ids.length > 0) this.#losses = [];
        onDelta(step);
      },
    };
  }

  /** Destroys the device and waits for the recovery or the end. For tests. */
  async lose(): Promise<void> {
    const client = this.#client;
    await client.call("loseDevice", null).catch(() => undefined);
    await client.closed;
    await Promise.resolve();
    await Promise.race([this.#ready, this.closed]);
  }

  close(reason: HearthError): void {
    this.#finish(reason);
    this.#client.close(reason);
  }

  #watch(client: WorkerRpc): void {
    void client.closed.then((reason) => {
      if (reason.code !== "device_lost" || !this.#replace(client, reason)) this.#finish(reason);
    });
  }

  /** Starts replacing `client`, which has lost its device; returns false if it will not be replaced. */
  #replace(client: WorkerRpc, reason: HearthError): boolean {
    if (this.#end !== undefined) return false;
    // Another call has already noticed the loss.
    if (client !== this.#client || client.isReplaced) return true;
    const now = Date.now();
    if (this.#running === 0) this.#losses = this.#losses.filter((time) => now - time < LOSSES_MS);
    this.#losses.push(now);
    if (this.#reopen === undefined || this.#losses.length > MOST_LOSSES) {
      this.#finish(reason);
      return false;
    }
    client.isReplaced = true;
    client.close(reason);
    this.#ready = this.#renew(this.#reopen, reason);
    return true;
  }

  async #renew(reopen: Reopen, reason: HearthError): Promise<void> {
    for (const [attempt, delay] of REOPEN_DELAYS_MS.entries()) {
      try {
        await sleep(delay, this.#renewal.signal);
        const client = await reopen(this.#renewal.signal);
        await this.#restore(client);
        if (this.#end !== undefined) {
          client.close(this.#end);
          return;
        }
        this.#client = client;
        this.#watch(client);
        this.#notify({
          code: "device_recovered",
          message: `${reason.message}; the model was loaded again.`,
          hint: "Nothing to do. If it happens again and again, choose a smaller model or context.",
        });
        return;
      } catch (error) {
        if (this.#end !== undefined) return;
        if (attempt === REOPEN_DELAYS_MS.length - 1) {
          const hint = `Create the engine again. Loading the model again failed: ${toHearthError(error).message}.`;
          this.#finish(new HearthError("device_lost", reason.message, { hint, cause: error }));
        }
      }
    }
  }

  /** Adds the adapters to another worker. */
  async #restore(client: WorkerRpc): Promise<void> {
    try {
      const { signal } = this.#renewal;
      for (const adapter of this.#adapters) await client.call("addAdapter", adapter, { signal });
    } catch (error) {
      client.close(toHearthError(error));
      throw error;
    }
  }

  #finish(reason: HearthError): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#renewal.abort();
    this.#resolveClosed(reason);
  }
}
