/** A library of the user's own documents: found by words at once, by meaning as soon as the vectors are there. */
import { followSignals } from "../api/signals.js";
import type { Backend } from "../backend/backend.js";
import { HearthError, invalid } from "../core/errors.js";
import { Lock } from "../core/lock.js";
import type { Mark } from "./blocks.js";
import { Embedder } from "./embedder.js";
import type { Extractors } from "./extract/index.js";
import { Held, parsePassageId } from "./held.js";
import { IndexedDbStore } from "./indexed-db.js";
import { Indexer } from "./indexer.js";
import { bytesOf, ingest, type DocumentSource } from "./ingest.js";
import { LIMITS, type Limits } from "./limits.js";
import type { Prefixes } from "./prefixes.js";
import { rank, type Ranked, type SearchMode } from "./ranking.js";
import { MemoryStore, type DocumentStore, type StoredDocument } from "./store.js";
import { searchTool, type LibraryTool } from "./tool.js";
import { backendOf } from "./types.js";
import type {
  AddProgress,
  DocumentInfo,
  LibraryNotice,
  LibraryStats,
  Model,
  Passage,
  PassageInContext,
} from "./types.js";
import { WordIndex, type Words } from "./words.js";

/** The models of a library. Without an embedder, documents are found by words only. */
export interface LibraryModels {
  /** A model that makes embeddings. */
  embedder?: Model | undefined;
  /** Texts before queries and passages. Default: those of the model's card, where its name is known. */
  prefixes?: Prefixes | undefined;
  /** A model that ranks. It reads `rerankPairs` passages in each search. */
  reranker?: Model | undefined;
  /** Default: 20, and 0 if the reranker runs on the CPU of this device, where it would take seconds. */
  rerankPairs?: number | undefined;
}

export interface LibraryOptions extends LibraryModels {
  /** Libraries of different names have nothing in common. Default `"default"`. */
  name?: string;
  /** Place to keep it in. Default: IndexedDB, and memory where there is none. */
  store?: DocumentStore;
  limits?: Partial<Limits>;
  extractors?: Extractors;
  /** An empty index of words for this library alone, such as `WorkerWords` of `hearth-llm/documents/worker`. */
  words?: Words;
  onNotice?: (notice: LibraryNotice) => void;
}

export interface AddOptions {
  /** Password of a PDF. */
  password?: string;
  signal?: AbortSignal;
  onProgress?: (progress: AddProgress) => void;
}

export interface SearchOptions {
  /** Most passages. Default 8. */
  limit?: number;
  /** Ids of the documents to search. Default: all. */
  documents?: string[] | undefined;
  /** Default `"auto"`: by words, and by meaning as far as there are vectors. */
  mode?: SearchMode;
  signal?: AbortSignal | undefined;
}

export class Library {
  readonly name: string;
  readonly #limits: Limits;
  readonly #extractors: Extractors;
  readonly #notify: (notice: LibraryNotice) => void;
  readonly #held = new Map<string, Held>();
  readonly #words: Words;
  readonly #adding = new Lock();
  readonly #indexer: Indexer;
  readonly #ending = new AbortController();
  readonly #store: DocumentStore;
  #isKept: boolean;
  #nextPassage = 0;
  #embedder: Embedder | undefined;
  #reranker: Backend | undefined;
  #rerankPairs = 0;

  private constructor(options: LibraryOptions, store: DocumentStore) {
    this.name = options.name ?? "default";
    this.#limits = { ...LIMITS, ...options.limits };
    this.#extractors = options.extractors ?? {};
    this.#store = store;
    this.#words = options.words ?? new WordIndex();
    this.#isKept = store.isKept;
    this.#notify = (notice) => options.onNotice?.(notice);
    this.#indexer = new Indexer({
      lock: `hearth-documents-${this.name}`,
      store,
      documents: () => [...this.#held.values()],
      notify: this.#notify,
      onLost: (error) => {
        this.#notKept(error);
      },
    });
  }

  /** Opens a library, and resolves when it can be searched by words. Nothing is fetched. */
  static async open(options: LibraryOptions = {}): Promise<Library> {
    const name = options.name ?? "default";
    let failed: unknown;
    const store =
      options.store ??
      (typeof indexedDB === "undefined"
        ? new MemoryStore()
        : await IndexedDbStore.open(name).catch((error: unknown) => {
            failed = error;
            return new MemoryStore();
          }));
    const library = new Library(options, store);
    try {
      for await (const stored of store.documents()) await library.#hold(stored);
      await library.use(options);
    } catch (error) {
      store.close();
      throw error;
    }
    if (failed !== undefined) library.#notKept(failed);
    return library;
  }

  /**
   * Replaces the library's models, and goes on with vectors where they are missing. Those of another embedder are made
   * anew, in the background.
   */
  async use({ embedder, prefixes, reranker, rerankPairs }: LibraryModels): Promise<void> {
    this.#check();
    const ranks = reranker === undefined ? undefined : backendOf(reranker);
    if (ranks?.capabilities.reranking === false) throw invalid("reranker", "a model that ranks", ranks.model.name);
    const isSlow = ranks?.local?.device.kind === "cpu";
    const embeds = embedder === undefined ? undefined : new Embedder(backendOf(embedder), prefixes);
    this.#reranker = ranks;
    this.#rerankPairs = rerankPairs ?? (isSlow ? 0 : 20);
    this.#embedder = embeds;
    await this.#indexer.use(embeds);
  }

  /**
   * Reads a file, and resolves when it is found by words. The same bytes twice are the same document. Files are read one
   * after another.
   *
   * @throws HearthError `document_type`, `document_damaged`, `document_encrypted`, `document_too_large`,
   * `document_stalled`, `extractor_missing`. A PDF of pictures is no error: its `state` says so.
   */
  async add(file: DocumentSource, options: AddOptions = {}): Promise<DocumentInfo> {
    this.#check();
    const { controller, unlink } = followSignals([options.signal, this.#ending.signal]);
    const { signal } = controller;
    try {
      const source = await bytesOf(file, this.#limits.bytes);
      return await this.#adding.run(async () => {
        const known = this.#held.get(source.id);
        if (known !== undefined) return this.#info(known);
        const { password, onProgress } = options;
        const common = { ...this.#extractors, limits: this.#limits, signal };
        const stored = await (common.read ?? ingest)(source, { ...common, password, onProgress }, ingest);
        this.#check();
        await this.#store.put(stored).catch((error: unknown) => {
          this.#notKept(error);
        });
        const held = await this.#hold(stored);
        this.#indexer.start();
        return this.#info(held);
      });
    } finally {
      unlink();
    }
  }

  /**
   * Returns the passages that answer a query best, the best first, without near-duplicates. Passages near a better one of
   * their section, which `passage` shows as its neighbours, come after the others.
   */
  async search(query: string, options: SearchOptions = {}): Promise<Passage[]> {
    const ranked = await this.ranked(query, options, true);
    return ranked.map(({ held, index, score, scores }) => ({ ...held.passage(index), score, scores }));
  }

  /**
   * Searches, and returns documents and positions, with those near a better one after the others if `apart`.
   *
   * @internal
   */
  async ranked(query: string, options: SearchOptions, apart = false): Promise<Ranked[]> {
    this.#check();
    const { limit = 8, documents, mode = "auto", signal: own } = options;
    if (!Number.isInteger(limit) || limit < 1) throw invalid("limit", "a whole number from 1", limit);
    if (!["auto", "words", "meaning"].includes(mode)) throw invalid("mode", '"auto", "words" or "meaning"', mode);
    const { controller, unlink } = followSignals([own, this.#ending.signal]);
    const parts = { words: this.#words, embedder: this.#embedder, reranker: this.#reranker };
    try {
      return await rank(
        { ...parts, rerankPairs: this.#rerankPairs, notify: this.#notify },
        this.chosen(documents),
        query,
        { limit, mode, apart, signal: controller.signal },
      );
    } finally {
      unlink();
    }
  }

  /**
   * Returns the documents of some ids, or all, in the order in which they were added.
   *
   * @internal
   */
  chosen(documents: string[] | undefined): Held[] {
    this.#check();
    if (documents === undefined) return [...this.#held.values()];
    return [...new Set(documents)].map((id) => this.#document(id));
  }

  /** Returns a passage with its neighbours. */
  passage(id: string): PassageInContext {
    const { document, index } = parsePassageId(id);
    const held = this.#document(document);
    if (!(index < held.count)) throw invalid("id", "that of a passage in this library", id);
    return held.inContext(index);
  }

  /** Returns a document's whole text, in which passages have their offsets. */
  text(id: string): string {
    return this.#document(id).stored.text;
  }

  /** Returns where each page begins in a document's text, with its label; empty for formats without pages. */
  pages(id: string): Mark<string>[] {
    return this.#document(id).stored.pages;
  }

  list(): DocumentInfo[] {
    return [...this.#held.values()].map((held) => this.#info(held));
  }

  /** Removes a document; returns false if there was none. */
  async delete(id: string): Promise<boolean> {
    this.#check();
    const held = this.#held.get(id);
    if (held === undefined) return false;
    held.isDeleted = true;
    this.#held.delete(id);
    this.#words.remove(Array.from({ length: held.count }, (_, i) => held.base + i));
    await this.#store.delete(id);
    return true;
  }

  stats(): LibraryStats {
    const documents = [...this.#held.values()];
    const sum = (of: (held: Held) => number): number => documents.reduce((total, held) => total + of(held), 0);
    return {
      documents: documents.length,
      passages: sum(({ count }) => count),
      characters: sum(({ stored }) => stored.text.length),
      vectorBytes: sum(({ vectors }) => vectors.bytes),
      meaning: this.#indexer.state(),
      kept: this.#isKept,
    };
  }

  /** Resolves when all passages have vectors, or there will be no more: without an embedder, or after its failure. */
  async indexed(): Promise<void> {
    await this.#indexer.idle();
  }

  /** Returns a search of this library as a function tool, for models that call tools. */
  tool(options: Pick<SearchOptions, "documents" | "limit"> = {}): LibraryTool {
    return searchTool(this, options);
  }

  /** Ends what runs. What is indexed is kept; the next `open` goes on from there. The models stay the caller's. */
  async close(): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    await this.#indexer.stop();
    this.#store.close();
  }

  async #hold(stored: StoredDocument): Promise<Held> {
    const held = new Held(stored, this.#nextPassage);
    this.#nextPassage += held.count;
    const entries = Array.from({ length: held.count }, (_, i) => ({
      id: held.base + i,
      text: held.text(i),
      headings: held.headings(i).join("\n"),
    }));
    await this.#words.add(entries);
    this.#held.set(stored.id, held);
    return held;
  }

  #document(id: string): Held {
    const held = this.#held.get(id);
    if (held === undefined) throw invalid("documents", "ids of documents in this library", id);
    return held;
  }

  #info(held: Held): DocumentInfo {
    return held.info(this.#embedder !== undefined);
  }

  #notKept(error: unknown): void {
    if (this.#ending.signal.aborted) return;
    this.#isKept = false;
    const why = error instanceof Error ? error.message : String(error);
    const message = `The library is in memory only, and goes with the page: ${why}.`;
    this.#notify({ code: "not_kept", message, hint: "Free some of the site's storage, and add the documents again." });
  }

  #check(): void {
    if (!this.#ending.signal.aborted) return;
    throw new HearthError("disposed", "the library was closed", { hint: "Open it again with Library.open." });
  }
}
