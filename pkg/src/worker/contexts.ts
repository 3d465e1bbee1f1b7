/**
 * The worker's side of context that stays: after an answer, the engine's conversation is saved under the request's key
 * while nothing else is to do; before an answer, the conversation of its key is put back. It only saves time: whatever
 * fails here, the prompt is computed as if nothing had been kept.
 */
import { makeRoom, onRemoved, pageNames, readPage, removePages, writePage } from "../cache/contexts.js";
import { toHearthError, throwIfAborted } from "../core/errors.js";
import type { ContextStoreOptions } from "../core/protocol.js";
import type { WasmEngine } from "../core/wasm-contract.js";

/** Time after an answer in which the next request may come. */
const IDLE_MS = 300;
const DEFAULT_BYTES = 512 << 20;

export interface ContextsOptions extends ContextStoreOptions {
  /** Number of conversations that the engine has room for. */
  conversations: number;
  /** Runs a task while nothing else uses the engine. */
  withEngine: <T>(task: (engine: WasmEngine) => T | Promise<T>) => Promise<T>;
  /** Reports a trap of the core. */
  trapped: (error: unknown) => void;
}

export class Contexts {
  readonly #options: ContextsOptions;
  /**
   * Keys of the conversations that the engine holds, the present one last; undefined for one without a key. The engine goes
   * by their tokens, and may have replaced another one, which is then only computed again.
   */
  #residents: (string | undefined)[] = [];
  /** Number of requests so far: a save of an earlier one stops. */
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ContextsOptions) {
    this.#options = options;
    onRemoved((key) => {
      if (key === null) this.#residents = [];
      if (key === null || key === this.#residents.at(-1)) this.forget();
      else this.#residents = this.#residents.filter((one) => one !== key);
    });
  }

  /** Puts the conversation of a request's key back, unless the engine holds it. Called by whoever has the engine. */
  async restore(engine: WasmEngine, key: string | undefined, signal: AbortSignal): Promise<void> {
    this.leave();
    const at = this.#residents.lastIndexOf(key);
    if (at >= 0) this.#residents.splice(at, 1);
    else {
      while (this.#residents.length >= this.#options.conversations) this.#residents.shift();
      if (key !== undefined) await this.#restore(engine, key, signal);
    }
    this.#residents.push(key);
  }

  /** Stops saving: the engine is needed. */
  leave(): void {
    this.#turn++;
    clearTimeout(this.#timer);
  }

  /** Notes that the engine's present conversation is another one now, or unknown. */
  forget(): void {
    this.leave();
    this.#residents.pop();
  }

  /** Saves the conversation once the engine is idle. */
  saveSoon(key: string | undefined): void {
    if (key === undefined || key !== this.#residents.at(-1)) return;
    const turn = this.#turn;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#save(key, turn).catch((error: unknown) => {
        // Without room or storage the conversation is only not kept.
        if (error instanceof WebAssembly.RuntimeError) this.#options.trapped(error);
      });
    }, IDLE_MS);
  }

  async #restore(engine: WasmEngine, key: string, signal: AbortSignal): Promise<void> {
    for (const name of await ifStored(pageNames(key), [])) {
      throwIfAborted(signal);
      const page = await ifStored(readPage(key, name), undefined);
      if (page === undefined) continue;
      try {
        engine.restorePage(page);
      } catch (error) {
        if (toHearthError(error).code !== "bad_file") throw error;
        // It is damaged, or another model's: of no further use.
        await ifStored(removePages(key, [name]), undefined);
      }
    }
  }

  async #save(key: string, turn: number): Promise<void> {
    const { withEngine, maxBytes = DEFAULT_BYTES } = this.#options;
    const isOver = (): boolean => turn !== this.#turn;
    const pages = await withEngine((engine) => (isOver() ? [] : engine.contextPages()));
    if (pages.length === 0) return;
    const kept = new Set(await pageNames(key));
    await removePages(
      key,
      [...kept].filter((name) => !pages.some((page) => page.name === name)),
    );
    const fresh = pages.filter(({ name }) => !kept.has(name));
    const bytes = fresh.reduce((sum, page) => sum + page.bytes, 0);
    // The pages kept of a conversation that has grown too long are still its beginning.
    if (!(await makeRoom(key, bytes, maxBytes))) return;
    for (const { name } of fresh) {
      const page = await withEngine((engine) => (isOver() ? undefined : engine.savePage(name)));
      if (page === undefined || isOver()) return;
      await writePage(key, name, page);
    }
  }
}

/** Returns `otherwise` where the storage fails. */
async function ifStored<T>(task: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await task;
  } catch (error) {
    if (error instanceof DOMException) return otherwise;
    throw error;
  }
}
