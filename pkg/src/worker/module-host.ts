/**
 * The logic of a worker with a module beside the core. It uses no worker globals, so it runs in tests too.
 *
 * A failed load needs no cleanup here: the page ends the worker, which frees everything.
 */
import { HearthError, serializeError, throwIfAborted, toHearthError } from "../core/errors.js";
import type { CallTable, FromModule, ModuleCall, ToModule } from "../core/module-protocol.js";
import type { LoadProgress } from "../core/protocol.js";
import { yieldToEventLoop } from "./yield.js";

/** A run of the module, which is freed at its end. */
export interface ModuleRun {
  free(): void;
}

export abstract class ModuleHost<Calls extends CallTable<Calls>, Event> {
  readonly #purpose: string;
  readonly #send: (message: FromModule<Calls, Event>, transfer: Transferable[]) => void;
  readonly #running = new Map<number, AbortController>();
  #isDead = false;

  /** `purpose`: what the module does, in messages: "recognises speech". */
  constructor(purpose: string, post: (message: FromModule<Calls, Event>, transfer: Transferable[]) => void) {
    this.#purpose = purpose;
    this.#send = post;
  }

  /** Handles a message of the page. Does not reject. */
  async handle(message: ToModule<Calls>): Promise<void> {
    if (message.type === "cancel") {
      this.#running.get(message.id)?.abort();
      return;
    }
    const { id } = message;
    const controller = new AbortController();
    this.#running.set(id, controller);
    try {
      const result = await this.dispatch(message, controller.signal);
      this.#post({ type: "result", id, result }, result instanceof Float32Array ? [result.buffer] : []);
    } catch (error) {
      if (isTrap(error)) this.#die(error);
      else this.#post({ type: "error", id, error: serializeError(error) });
    } finally {
      this.#running.delete(id);
    }
  }

  /** Does what a call asks for. What the module throws has to reject. */
  protected abstract dispatch(message: ModuleCall<Calls>, signal: AbortSignal): Promise<Calls[keyof Calls]["result"]>;

  protected report(id: number, progress: LoadProgress): void {
    this.#post({ type: "progress", id, progress });
  }

  /** Takes the steps of a run, each of which returns its event as JSON, until there is none; then frees the run. */
  protected async steps(
    id: number,
    run: ModuleRun,
    step: () => string | undefined | Promise<string | undefined>,
    signal: AbortSignal,
  ): Promise<Event | undefined> {
    let last: Event | undefined;
    try {
      for (;;) {
        throwIfAborted(signal);
        const text = await step();
        if (text === undefined) return last;
        last = JSON.parse(text) as Event;
        this.#post({ type: "event", id, event: last });
        await yieldToEventLoop();
      }
    } catch (error) {
      if (isTrap(error)) this.#die(error);
      throw error;
    } finally {
      // The memory of a module that trapped is undefined; it goes with the worker.
      if (!this.#isDead) run.free();
    }
  }

  #die(trap: WebAssembly.RuntimeError): void {
    const error = new HearthError("worker_died", `the module that ${this.#purpose} stopped: ${trap.message}`, {
      cause: trap,
      hint: "Ask again: another worker is started for it. If it stays, choose a smaller model or close other pages.",
    });
    this.end(error);
  }

  /** Ends the worker: nothing that it holds can be used any more. */
  protected end(error: HearthError): void {
    this.#post({ type: "fatal", error: serializeError(error) });
    this.#isDead = true;
  }

  #post(message: FromModule<Calls, Event>, transfer: Transferable[] = []): void {
    if (!this.#isDead) this.#send(message, transfer);
  }
}

/** Starts a module. `purpose`: what it does; `file`: the name of its file. */
export async function startModule(
  wasm: { default(arg: { module_or_path: URL | string }): Promise<unknown> },
  url: string | URL,
  purpose: string,
  file: string,
): Promise<void> {
  try {
    await wasm.default({ module_or_path: url });
  } catch (cause) {
    const reason = toHearthError(cause).message;
    throw new HearthError("wasm_failed", `the module that ${purpose} could not be started: ${reason}`, {
      cause,
      hint: `Check that the server has ${file} beside the worker, or name its place as wasmUrl.`,
    });
  }
}

function isTrap(error: unknown): error is WebAssembly.RuntimeError {
  return error instanceof WebAssembly.RuntimeError;
}
