/**
 * The engine's way to its worker, beyond the loss of a GPU device: the worker is then started again, the model loaded
 * again, and what ran goes on. Whatever cannot be mended that way ends the engine.
 */
import type { CallOptions, WorkerClient } from "./client.js";
import { HearthError, toHearthError } from "../core/errors.js";
import type { CallName, Calls, Notice } from "../core/protocol.js";
import { sleep } from "../source/retry.js";

/** A device that is lost more often than this without one more token is not worth another one. */
const MOST_LOSSES = 3;
/** While nothing runs there are no tokens: a laptop that is closed each evening loses its device as often. */
const LOSSES_MS = 60_000;
/** After a crash of the driver it takes a moment until there is an adapter again. */
const REOPEN_DELAYS_MS = [0, 500, 2000];

/** Makes another worker with the same model, unless the signal fires first. */
export type Reopen = (signal: AbortSignal) => Promise<WorkerClient>;

export class Connection {
  /** Resolves with the reason when no call will be answered any more. */
  readonly closed: Promise<HearthError>;
  readonly #reopen: Reopen | undefined;
  readonly #notify: (notice: Notice) => void;
  #client: WorkerClient;
  /** Settles when there is a client, or none any more. */
  #ready: Promise<void> = Promise.resolve();
  #end: HearthError | undefined;
  #resolveClosed!: (reason: HearthError) => void;
  /** Since the last token. */
  #losses: number[] = [];
  /** Calls that are not answered yet. */
  #running = 0;
  /** Stops a worker that is being made when the engine ends. */
  readonly #renewal = new AbortController();

  /** Without `reopen` a lost device is the end. */
  constructor(client: WorkerClient, reopen: Reopen | undefined, notify: (notice: Notice) => void) {
    this.#reopen = reopen;
    this.#notify = notify;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#client = client;
    this.#watch(client);
  }

  /** Sends a call, once more on every device. What is a function is asked for each attempt. */
  async call<K extends CallName>(
    call: K,
    params: Calls[K]["params"] | (() => Calls[K]["params"]),
    options: () => CallOptions = () => ({}),
  ): Promise<Calls[K]["result"]> {
    this.#running++;
    try {
      for (;;) {
        // The end wakes who waits for a device.
        await Promise.race([this.#ready, this.closed]);
        if (this.#end !== undefined) throw this.#end;
        const client = this.#client;
        try {
          const result = await client.call(
            call,
            typeof params === "function" ? params() : params,
            this.#noting(options()),
          );
          if (call === "embed") this.#losses = [];
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

  /** A token is progress: what happens now happens to another piece of work. */
  #noting(options: CallOptions): CallOptions {
    const { onStep } = options;
    if (onStep === undefined) return options;
    return {
      ...options,
      onStep: (step) => {
        if (step.ids.length > 0) this.#losses = [];
        onStep(step);
      },
    };
  }

  /** For tests: destroys the device, and waits for what comes of it. */
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

  #watch(client: WorkerClient): void {
    void client.closed.then((reason) => {
      if (reason.code !== "device_lost" || !this.#replace(client, reason)) this.#finish(reason);
    });
  }

  /** Sees to it that `client`, which has lost its device, is replaced; false if it will not be. */
  #replace(client: WorkerClient, reason: HearthError): boolean {
    if (this.#end !== undefined) return false;
    // Somebody else has noticed before.
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

  #finish(reason: HearthError): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#renewal.abort();
    this.#resolveClosed(reason);
  }
}
