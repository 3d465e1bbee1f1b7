/**
 * Engines that several parts of a page share: those with equal options are one, which ends a moment after its last user
 * has gone. React's StrictMode, a change of routes and an element that moves let go and ask again at once, and the model
 * must not be loaded twice for it.
 */
import { toHearthError, type HearthError } from "../core/errors.js";
import type { LoadProgress, Notice } from "../core/protocol.js";
import type { Engine, EngineOptions } from "../engine.js";

/** Options of `Engine.create` without callbacks: what they tell is in the state. */
export type SharedEngineOptions = Omit<EngineOptions, "signal" | "onProgress" | "onNotice">;

/** State of a shared engine, a new object after each change. */
export interface EngineState {
  /** `"error"` also when an engine that was ready has ended: disposed, its device lost, its worker dead. */
  readonly status: "loading" | "ready" | "error";
  /** The engine, while `status` is `"ready"`. */
  readonly engine: Engine | undefined;
  /** Progress of the load, from its first report. */
  readonly progress: LoadProgress | undefined;
  /** Last notice for the user, e.g. that the model runs on the CPU. */
  readonly notice: Notice | undefined;
  readonly error: HearthError | undefined;
}

const AT_FIRST: EngineState = {
  status: "loading",
  engine: undefined,
  progress: undefined,
  notice: undefined,
  error: undefined,
};

const ids = new WeakMap<object, number>();
let known = 0;

/** Names an object by its identity. */
function identityOf(value: object): string {
  let id = ids.get(value);
  if (id === undefined) {
    id = known += 1;
    ids.set(value, id);
  }
  return `#${String(id)}`;
}

/** Returns a text that is equal for options that make equal engines. Files and streams are told apart by identity. */
export function keyOf(options: SharedEngineOptions): string {
  const sorted = Object.entries(options).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(sorted, (_name, value: unknown) => {
    if (typeof value === "function") return identityOf(value);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
    const prototype: unknown = Object.getPrototypeOf(value);
    return prototype === Object.prototype || prototype === null ? value : identityOf(value);
  });
}

class Shared {
  state = AT_FIRST;
  readonly listeners = new Set<() => void>();
  #controller: AbortController | undefined;
  readonly #options: SharedEngineOptions;

  constructor(options: SharedEngineOptions) {
    this.#options = options;
  }

  start(): void {
    const controller = (this.#controller = new AbortController());
    const { signal } = controller;
    const set = (change: Partial<EngineState>): void => {
      if (signal.aborted) return;
      this.state = { ...this.state, ...change };
      for (const listener of [...this.listeners]) listener();
    };
    const fail = (error: HearthError): void => {
      set({ status: "error", engine: undefined, error });
    };
    set(AT_FIRST);
    this.#open(signal, set).catch((error: unknown) => {
      fail(toHearthError(error));
    });
  }

  async #open(signal: AbortSignal, set: (change: Partial<EngineState>) => void): Promise<void> {
    // Pages that only import an entry do not fetch the engine's code, and servers that render them never do.
    const { Engine } = await import("../engine.js");
    const engine = await Engine.create({
      ...this.#options,
      signal,
      onProgress: (progress) => {
        set({ progress });
      },
      onNotice: (notice) => {
        set({ notice });
      },
    });
    const dispose = (): void => {
      engine.dispose();
    };
    signal.addEventListener("abort", dispose, { once: true });
    if (signal.aborted) dispose();
    set({ status: "ready", engine });
    const error = await engine.closed;
    signal.removeEventListener("abort", dispose);
    set({ status: "error", engine: undefined, error });
  }

  end(): void {
    this.#controller?.abort();
  }
}

const shared = new Map<string, Shared>();

/** Returns the state of the engine of a key, as it is or as it will be at first. */
export function stateOf(key: string): EngineState {
  return shared.get(key)?.state ?? AT_FIRST;
}

/** Uses the engine of a key, which is opened if nobody has it, and returns the function that lets go of it. */
export function holdShared(key: string, options: SharedEngineOptions, onChange: () => void): () => void {
  let found = shared.get(key);
  if (found === undefined) {
    found = new Shared(options);
    shared.set(key, found);
    found.start();
  }
  const { listeners } = found;
  // A function of its own, as one listener may be given twice.
  const listener = (): void => {
    onChange();
  };
  listeners.add(listener);
  return () => {
    if (!listeners.delete(listener)) return;
    setTimeout(() => {
      if (listeners.size > 0 || shared.get(key) !== found) return;
      shared.delete(key);
      found.end();
    }, 0);
  };
}

/** Opens an engine again that failed or has ended. */
export function retryShared(key: string): void {
  const found = shared.get(key);
  if (found?.state.status !== "error") return;
  found.end();
  found.start();
}
