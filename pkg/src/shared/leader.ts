/** The tab that has the model: loads it, and serves its own calls and those of its followers, first come, first served. */
import type { CallOptions } from "../backend/rpc.js";
import { cancelled, serializeError, toHearthError, type HearthError } from "../core/errors.js";
import { Lock } from "../core/lock.js";
import type { CallName, Calls, LoadResult } from "../core/protocol.js";
import type { EngineOptions, OpenedWorker } from "../engine.js";
import { Link } from "./link.js";
import type { Item } from "./messages.js";
import { MOVED } from "./moved.js";
import type { Place } from "./place.js";

/** Calls that need the engine's only context, each in its turn. */
const IN_TURN = new Set<CallName>(["generate", "embed", "rank"]);

export class Leader {
  readonly epoch: number;
  readonly #place: Place;
  readonly #name: string;
  readonly #onEnd: (reason: HearthError) => void;
  readonly #links = new Map<string, Link>();
  readonly #turns = new Lock();
  readonly #running = new Set<Promise<unknown>>();
  /** Ends the load. */
  readonly #end = new AbortController();
  #opened: OpenedWorker | undefined;
  /** Progress of the load, for followers that come in the middle of it. */
  #progress: Item | undefined;
  #isOver = false;

  /** Creates a leader without a model. `onEnd` is called if its engine has ended by itself. */
  constructor(place: Place, name: string, epoch: number, onEnd: (reason: HearthError) => void) {
    this.#place = place;
    this.#name = name;
    this.epoch = epoch;
    this.#onEnd = onEnd;
  }

  /** Whether other tabs use the model. */
  get hasFollowers(): boolean {
    return this.#links.size > 0;
  }

  async load(options: EngineOptions): Promise<LoadResult> {
    const { signal } = this.#end;
    try {
      const opened = await this.#place.open({
        ...options,
        signal,
        onProgress: (progress) => {
          options.onProgress?.(progress);
          this.#progress = { type: "loading", progress };
          this.#tell(this.#progress);
        },
        onNotice: (notice) => {
          options.onNotice?.(notice);
          // Followers find those of the load in its result.
          if (this.#opened !== undefined) this.#tell({ type: "notice", notice });
        },
      });
      if (signal.aborted) {
        opened.worker.close(MOVED);
        throw MOVED;
      }
      this.#opened = opened;
      void opened.worker.closed.then((reason) => this.#ended(reason));
      this.#tell({ type: "loaded", loaded: opened.loaded });
      return opened.loaded;
    } catch (error) {
      this.#tell({ type: "failed", error: serializeError(error) });
      throw signal.aborted ? MOVED : error;
    }
  }

  /** Answers a tab's greeting. */
  hello(tab: string, number: number): void {
    const old = this.#links.get(tab);
    if (old?.number === number) {
      old.send({ type: "here" });
      return;
    }
    old?.close();
    const run = this.call.bind(this);
    const link = new Link(this.#place, `${this.#name}:${tab}`, number, this.epoch, run, () => {
      if (this.#links.get(tab) === link) this.#links.delete(tab);
    });
    this.#links.set(tab, link);
    if (this.#opened !== undefined) link.send({ type: "loaded", loaded: this.#opened.loaded });
    else if (this.#progress !== undefined) link.send(this.#progress);
  }

  async call<K extends CallName>(
    name: K,
    params: () => Calls[K]["params"],
    options: () => CallOptions,
  ): Promise<Calls[K]["result"]> {
    const worker = this.#opened?.worker;
    if (worker === undefined || this.#isOver) throw MOVED;
    const work = async (): Promise<Calls[K]["result"]> => {
      if (this.#isOver) throw MOVED;
      if (name !== "loseDevice") return worker.call(name, params, options);
      await worker.lose();
      return null;
    };
    const running = IN_TURN.has(name) ? this.#inTurn(work, options().signal) : work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Ends the engine and all links. Calls that run reject with `reason` in this tab, and go on elsewhere in others. */
  close(reason: HearthError): void {
    this.#isOver = true;
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    this.#end.abort();
    this.#opened?.worker.close(reason);
  }

  /** Runs work when it is its turn. An abort before that rejects at once. */
  #inTurn<Result>(work: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    return new Promise((resolve, reject) => {
      let hasBegun = false;
      const onAbort = (): void => {
        if (!hasBegun) reject(cancelled(signal?.reason));
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#turns
        .run(() => {
          hasBegun = true;
          if (signal?.aborted === true) throw cancelled(signal.reason);
          return work();
        })
        .then(resolve, (error: unknown) => {
          reject(error === MOVED ? MOVED : toHearthError(error));
        })
        .finally(() => signal?.removeEventListener("abort", onAbort));
    });
  }

  #tell(item: Item): void {
    for (const link of this.#links.values()) link.send(item);
  }

  /** Ends this leader after its engine. Its running calls are answered before; the others begin elsewhere. */
  async #ended(reason: HearthError): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await Promise.allSettled(this.#running);
    this.#onEnd(reason);
  }
}
