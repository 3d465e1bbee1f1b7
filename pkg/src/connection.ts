/**
 * The engine's way to its worker, beyond the loss of a GPU device: the worker is then started again, the model loaded
 * again, and what ran goes on. Whatever cannot be mended that way ends the engine.
 */
import type { CallOptions, WorkerClient } from "./client.js";
import { HearthError, toHearthError } from "./errors.js";
import type { CallName, Calls, Notice } from "./protocol.js";

/** A device that is lost more often than this in a minute is not worth another one. */
const MOST_LOSSES = 3;
const LOSSES_MS = 60_000;
/** After a crash of the driver it takes a moment until there is an adapter again. */
const REOPEN_DELAYS_MS = [0, 500, 2000];

/** Makes another worker with the same model. */
export type Reopen = () => Promise<WorkerClient>;

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
  #losses: number[] = [];

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
    for (;;) {
      await this.#ready;
      if (this.#end !== undefined) throw this.#end;
      const client = this.#client;
      try {
        return await client.call(call, typeof params === "function" ? params() : params, options());
      } catch (error) {
        const reason = toHearthError(error);
        if (reason.code !== "device_lost" || !this.#replace(client, reason)) throw error;
      }
    }
  }

  /** For tests: destroys the device, and waits for what comes of it. */
  async lose(): Promise<void> {
    const client = this.#client;
    await client.call("loseDevice", null).catch(() => undefined);
    await client.closed;
    await Promise.resolve();
    await this.#ready;
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
    this.#losses = [...this.#losses.filter((time) => now - time < LOSSES_MS), now];
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
      await new Promise((resolve) => setTimeout(resolve, delay));
      try {
        const client = await reopen();
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
    this.#resolveClosed(reason);
  }
}
