/** Vectors in the background: a few passages a call, each kept as soon as it is there, so that a closed tab loses one call. */
import { HearthError, toHearthError } from "../core/errors.js";
import type { Embedder } from "./embedder.js";
import type { Held } from "./held.js";
import type { DocumentStore } from "./store.js";
import type { LibraryNotice, MeaningState } from "./types.js";
import { quantize, Vectors } from "./vectors.js";

const MOST_AT_ONCE = 16;
/** Milliseconds that a call should take: a search waits as long for the embedder. */
const CALL_MS = 500;

export interface IndexerOptions {
  /** Name of the lock by which one tab at a time indexes. */
  lock: string;
  store: DocumentStore;
  documents: () => Held[];
  notify: (notice: LibraryNotice) => void;
  /** Called when vectors could not be stored. */
  onLost: (error: unknown) => void;
}

export class Indexer {
  readonly #options: IndexerOptions;
  #embedder: Embedder | undefined;
  #abort = new AbortController();
  #running: Promise<void> | undefined;
  #reason: HearthError | undefined;
  #rate = 0;
  #atOnce = 4;

  constructor(options: IndexerOptions) {
    this.#options = options;
  }

  /** Sets the embedder and forgets an earlier failure; vectors of another embedder are no longer used. */
  async use(embedder: Embedder | undefined): Promise<void> {
    await this.stop();
    this.#embedder = embedder;
    this.#reason = undefined;
    this.#atOnce = 4;
    for (const held of this.#options.documents()) {
      if (held.embedder === embedder?.key) continue;
      held.vectors = new Vectors();
      held.embedder = undefined;
    }
    this.start();
  }

  /** Goes on with what lacks vectors; does nothing if it runs, or has failed. */
  start(): void {
    const embedder = this.#embedder;
    if (embedder === undefined || this.#running !== undefined || this.#reason !== undefined) return;
    if (this.#waiting().length === 0) return;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#running = this.#index(embedder, signal)
      .catch((error: unknown) => {
        if (!signal.aborted) this.#fail(toHearthError(error));
      })
      .finally(() => {
        this.#running = undefined;
        // A document may have come after the last look.
        if (!signal.aborted) this.start();
      });
  }

  /** Ends the call that runs, and resolves when nothing is written any more. */
  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  /** Resolves when all passages have vectors, or there will be no more. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  state(): MeaningState {
    const documents = this.#options.documents();
    const done = documents.reduce((sum, { vectors }) => sum + vectors.count, 0);
    const total = documents.reduce((sum, { count }) => sum + count, 0);
    const counts = { done, total, rate: this.#rate };
    if (this.#embedder === undefined) return { state: "off", ...counts };
    if (this.#reason !== undefined) return { state: "paused", ...counts, reason: this.#reason };
    return { state: this.#waiting().length === 0 ? "ready" : "indexing", ...counts };
  }

  #waiting(): Held[] {
    return this.#options.documents().filter((held) => held.vectors.count < held.count);
  }

  async #index(embedder: Embedder, signal: AbortSignal): Promise<void> {
    // Stored vectors serve at once, even while another tab indexes.
    for (const held of this.#waiting()) if (held.embedder !== embedder.key) await this.#load(held, embedder);
    if (!signal.aborted && this.#waiting().length > 0) await this.#locked(() => this.#run(embedder, signal), signal);
  }

  /** Runs when no other tab does. */
  async #locked(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { locks } = (globalThis as { navigator?: { locks?: LockManager } }).navigator ?? {};
    if (locks === undefined || !this.#options.store.isKept) await work();
    else await locks.request(this.#options.lock, { signal }, work);
  }

  async #run(embedder: Embedder, signal: AbortSignal): Promise<void> {
    for (let [held] = this.#waiting(); held !== undefined; [held] = this.#waiting()) {
      await this.#load(held, embedder);
      while (held.vectors.count < held.count && !held.isDeleted && !signal.aborted) {
        await this.#embed(held, embedder, signal);
      }
      if (signal.aborted) return;
    }
  }

  /** Reads the vectors that an earlier visit, or another tab, has made. */
  async #load(held: Held, embedder: Embedder): Promise<void> {
    const segments = await this.#options.store.vectors(held.stored.id, embedder.key);
    const vectors = new Vectors();
    for (const segment of segments) vectors.add(segment);
    [held.vectors, held.embedder] = [vectors, embedder.key];
  }

  async #embed(held: Held, embedder: Embedder, signal: AbortSignal): Promise<void> {
    const start = held.vectors.count;
    const count = Math.min(this.#atOnce, held.count - start);
    const texts = Array.from({ length: count }, (_, i) => held.embeddingText(start + i));
    const begun = performance.now();
    const segment = quantize(await embedder.passages(texts, signal), start);
    const took = Math.max(performance.now() - begun, 1);
    if (signal.aborted || held.isDeleted) return;
    if (segment.dimension !== (held.vectors.dimension ?? segment.dimension)) {
      throw new HearthError("internal_error", "the embedder's vectors have another length than before", {
        hint: "Choose another embedder, or delete the document and add it again.",
      });
    }
    this.#rate = (count * 1000) / took;
    this.#atOnce = Math.max(1, Math.min(MOST_AT_ONCE, Math.floor((this.#rate * CALL_MS) / 1000)));
    held.vectors.add(segment);
    await this.#options.store.putVectors(held.stored.id, embedder.key, segment).catch(this.#options.onLost);
  }

  #fail(reason: HearthError): void {
    this.#reason = reason;
    this.#options.notify({
      code: "embedder_lost",
      message: `Indexing by meaning is paused: ${reason.message}.`,
      hint: "What is indexed stays, and words find the rest. Give the library an embedder again with `use`.",
    });
  }
}
