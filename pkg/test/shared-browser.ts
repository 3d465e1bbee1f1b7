/**
 * A browser with several tabs in one process: Web Locks, channels and a small model, and tabs that close, crash and
 * freeze. Everything between tabs takes a turn of the event loop, as between processes.
 */
import { RecoveringWorker } from "../src/backend/recover.js";
import { WorkerRpc, type WorkerLike } from "../src/backend/rpc.js";
import { HearthError, serializeError, throwIfAborted } from "../src/core/errors.js";
import type { FromWorker, LoadResult, ToWorker } from "../src/core/protocol.js";
import type { TokenDelta } from "../src/core/wasm-contract.js";
import type { EngineOptions, OpenedWorker } from "../src/engine.js";
import { SharedEngine, type SharedOptions } from "../src/shared/index.js";
import type { Channel, Place } from "../src/shared/place.js";

type Callback = (lock: Lock | null) => unknown;

interface LockRequest {
  tab: Tab;
  options: LockOptions;
  callback: Callback;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

interface LockState {
  held: LockRequest[];
  queue: LockRequest[];
}

/** Web Locks of the whole browser. */
class Locks {
  readonly #states = new Map<string, LockState>();

  request(tab: Tab, name: string, options: LockOptions, callback: Callback): Promise<unknown> {
    const state = this.#states.get(name) ?? { held: [], queue: [] };
    this.#states.set(name, state);
    return new Promise((resolve, reject) => {
      const request: LockRequest = { tab, options, callback, resolve, reject };
      if (options.signal?.aborted === true) {
        reject(options.signal.reason as Error);
        return;
      }
      if (options.steal === true) {
        for (const broken of state.held.splice(0)) {
          broken.tab.soon(() => {
            broken.reject(new DOMException("stolen", "AbortError"));
          });
        }
        this.#grant(state, request);
        return;
      }
      if (options.ifAvailable === true && !this.#isFree(state, request)) {
        tab.soon(() => {
          resolve(callback(null));
        });
        return;
      }
      state.queue.push(request);
      options.signal?.addEventListener("abort", () => {
        if (!state.queue.includes(request)) return;
        state.queue.splice(state.queue.indexOf(request), 1);
        reject(options.signal?.reason as Error);
        this.#next(state);
      });
      this.#next(state);
    });
  }

  /** Frees what a tab that is gone held and waited for. */
  forget(tab: Tab): void {
    for (const state of this.#states.values()) {
      state.held = state.held.filter((request) => request.tab !== tab);
      state.queue = state.queue.filter((request) => request.tab !== tab);
      this.#next(state);
    }
  }

  /** Number of locks held. */
  get held(): number {
    return [...this.#states.values()].reduce((sum, { held }) => sum + held.length, 0);
  }

  #isFree({ held }: LockState, { options }: LockRequest): boolean {
    return held.length === 0 || (options.mode === "shared" && held.every((one) => one.options.mode === "shared"));
  }

  #next(state: LockState): void {
    for (let first = state.queue[0]; first !== undefined && this.#isFree(state, first); first = state.queue[0]) {
      state.queue.shift();
      this.#grant(state, first);
    }
  }

  #grant(state: LockState, request: LockRequest): void {
    state.held.push(request);
    request.tab.soon(async () => {
      if (!state.held.includes(request)) return;
      try {
        const result = await request.callback({ name: "", mode: request.options.mode ?? "exclusive" });
        request.resolve(result);
      } catch (error) {
        request.reject(error as Error);
      } finally {
        state.held = state.held.filter((one) => one !== request);
        this.#next(state);
      }
    });
  }
}

class TabChannel implements Channel {
  onmessage: ((event: MessageEvent) => void) | null = null;

  constructor(
    readonly tab: Tab,
    readonly name: string,
  ) {
    tab.browser.channels.add(this);
  }

  postMessage(message: unknown): void {
    const { browser } = this.tab;
    if (!browser.channels.has(this)) throw new DOMException("closed", "InvalidStateError");
    browser.messages++;
    for (const other of browser.channels) {
      if (other === this || other.name !== this.name) continue;
      const data: unknown = structuredClone(message);
      if (browser.loses?.(message) === true) continue;
      other.tab.soon(() => {
        if (browser.channels.has(other)) other.onmessage?.({ data } as MessageEvent);
      });
    }
  }

  close(): void {
    this.tab.browser.channels.delete(this);
  }
}

export class Browser {
  readonly locks = new Locks();
  readonly channels = new Set<TabChannel>();
  readonly tabs: Tab[] = [];
  messages = 0;
  /** Decides which messages of channels are lost on the way. */
  loses: ((message: unknown) => boolean) | undefined;

  tab(): Tab {
    const tab = new Tab(this);
    this.tabs.push(tab);
    return tab;
  }

  /** Number of models that are loaded. */
  get models(): number {
    return this.tabs.reduce((sum, { workers }) => sum + workers.size, 0);
  }
}

export class Tab {
  readonly page = new EventTarget();
  readonly workers = new Set<TinyWorker>();
  readonly roles: string[] = [];
  /** Error that loads in this tab reject with, and a promise that they wait for. */
  loadError: Error | undefined;
  loading: Promise<void> | undefined;
  loads = 0;
  #isDead = false;
  #frozen: (() => unknown)[] | undefined;

  constructor(readonly browser: Browser) {}

  /** Runs a task in a turn of its own, unless the tab is gone; in a frozen tab when it wakes. */
  soon(task: () => unknown): void {
    setImmediate(() => {
      if (this.#isDead) return;
      if (this.#frozen !== undefined) this.#frozen.push(task);
      else void task();
    });
  }

  /** Ends the tab without a word, as a crash or the user does. */
  kill(): void {
    this.#isDead = true;
    this.workers.clear();
    for (const channel of this.browser.channels) if (channel.tab === this) channel.close();
    this.browser.locks.forget(this);
  }

  freeze(): void {
    this.#frozen ??= [];
  }

  wake(): void {
    const tasks = this.#frozen ?? [];
    this.#frozen = undefined;
    for (const task of tasks) this.soon(task);
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  create(options: Partial<SharedOptions> = {}): Promise<SharedEngine> {
    return SharedEngine.createAt(this.place, {
      model: "owner/tiny",
      ...options,
      onRole: (role) => {
        this.roles.push(role);
        options.onRole?.(role);
      },
    });
  }

  get place(): Place {
    const request = (name: string, ...rest: [Callback] | [LockOptions, Callback]): Promise<unknown> => {
      const [options, callback] = rest.length === 1 ? [{}, rest[0]] : rest;
      return this.browser.locks.request(this, name, options, callback);
    };
    return {
      locks: { request: request },
      page: this.page,
      channel: (name) => new TabChannel(this, name),
      open: (options) => this.#open(options),
    };
  }

  async #open(options: EngineOptions): Promise<OpenedWorker> {
    this.loads++;
    options.onProgress?.({ phase: "download", loaded: 1, total: 2 });
    await this.loading;
    options.onProgress?.({ phase: "ready", loaded: 2, total: 2 });
    await new Promise((resolve) => setImmediate(resolve));
    if (this.loadError !== undefined) throw this.loadError;
    throwIfAborted(options.signal);
    const start = (): WorkerRpc => new WorkerRpc(new TinyWorker(this));
    const worker = new RecoveringWorker(
      start(),
      () => Promise.resolve(start()),
      (notice) => options.onNotice?.(notice),
    );
    return { worker, loaded: structuredClone(LOADED) as unknown as LoadResult };
  }
}

const LOADED = {
  version: "1",
  device: { kind: "cpu", name: "tiny" },
  model: { name: "tiny", n_ctx: 1000, pooling: null, tool_style: null, thought_marks: null },
  notices: [{ code: "one_thread", message: "one thread", hint: "" }],
};

/** Returns the id of an answer at an index: of the seed, and of everything before it. */
export function idsOf(seed: number, prompt: string, count: number, given: readonly number[] = []): number[] {
  const ids = [...given];
  while (ids.length < count) {
    let hash = seed ^ 0x9e3779b9;
    for (const code of new TextEncoder().encode(prompt)) hash = Math.imul(hash ^ code, 0x01000193);
    for (const id of ids) hash = Math.imul(hash ^ id, 0x85ebca6b) ^ (hash >>> 13);
    ids.push(hash >>> 8);
  }
  return ids;
}

/** A worker whose answers are `max_tokens` numbers, each of which depends on all before it. */
class TinyWorker implements WorkerLike {
  onmessage: WorkerLike["onmessage"] = null;
  onerror: WorkerLike["onerror"] = null;
  onmessageerror: WorkerLike["onmessageerror"] = null;
  readonly #cancelled = new Set<number>();
  #isBusy = false;

  constructor(readonly tab: Tab) {
    tab.workers.add(this);
  }

  postMessage(message: ToWorker): void {
    // Ids are all that the tests look at, so the parameters need not be the core's.
    this.tab.soon(() => {
      if (message.type === "cancel") this.#cancelled.add(message.id);
      else void this.#run(structuredClone(message));
    });
  }

  terminate(): void {
    this.tab.workers.delete(this);
  }

  async #run(message: Extract<ToWorker, { type: "call" }>): Promise<void> {
    const { id } = message;
    const fail = (error: unknown): void => {
      this.#post({ type: "error", id, error: serializeError(error) });
    };
    switch (message.call) {
      case "generate":
        if (this.#isBusy) fail(new HearthError("busy", "two requests at a time"));
        this.#isBusy = true;
        await this.#generate(id, message.params).then(() => {
          this.#post({ type: "result", id, result: null });
        }, fail);
        this.#isBusy = false;
        break;
      case "tokenize":
        this.#post({ type: "result", id, result: Uint32Array.from(message.params.text, (char) => char.charCodeAt(0)) });
        break;
      case "loseDevice":
        this.#post({ type: "fatal", error: serializeError(new HearthError("device_lost", "lost")) });
        break;
      default:
        fail(new HearthError("internal_error", `no ${message.call}`));
    }
  }

  async #generate(id: number, request: Extract<ToWorker, { call: "generate" }>["params"]): Promise<void> {
    const { seed = 0, resume_ids: given = [], max_tokens: count = 10, prompt = "" } = request;
    if (prompt === "!long") throw new HearthError("context_overflow", "too long", { hint: "Shorten it." });
    if (prompt === "!trap") {
      this.#post({ type: "fatal", error: serializeError(new HearthError("internal_error", "trapped")) });
      return await new Promise<never>(() => undefined);
    }
    const ids = [...given];
    while (ids.length < count) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#cancelled.has(id)) throw new HearthError("cancelled", "cancelled");
      if (!this.tab.workers.has(this)) return await new Promise<never>(() => undefined);
      // One to three tokens a step, as with drafts.
      const next = idsOf(seed, prompt, Math.min(count, ids.length + 1 + (ids.length % 3)), ids).slice(ids.length);
      ids.push(...next);
      const usage = { prompt_tokens: 1, completion_tokens: ids.length, total_tokens: 1 + ids.length };
      const delta = {
        text: next.map((one) => `${String(one)} `).join(""),
        ids: next,
        logprobs: [],
        in_thoughts: false,
        phase: "decode",
        prompt_read: 1,
        looked: 1,
        finish_reason: ids.length === count ? "length" : null,
        usage: {
          ...usage,
          prompt_tokens_details: { cached_tokens: 0 },
          completion_tokens_details: { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
        },
      };
      this.#post({ type: "delta", id, delta: delta as TokenDelta });
    }
  }

  #post(message: FromWorker): void {
    const data = structuredClone(message);
    this.tab.soon(() => {
      if (this.tab.workers.has(this)) this.onmessage?.({ data } as MessageEvent<FromWorker>);
    });
  }
}
