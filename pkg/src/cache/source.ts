/**
 * A model's file by way of the cache: read from there when it is complete, else downloaded into it, in several pieces at
 * once, and handed on in order while it arrives. What was there when a tab or worker ended is not fetched again.
 *
 * Where there is no room, or no file system, it is streamed as if there were no cache, and a notice says so.
 */
import { HearthError, throwIfAborted, toHearthError } from "../errors.js";
import type { CacheMode, DownloadOptions, Notice } from "../protocol.js";
import { blobSource } from "../source/blob.js";
import { HttpSource, isOther, type HttpRange, type Identity } from "../source/http.js";
import type { Checksum } from "../source/checksum.js";
import type { ByteSource } from "../source/source.js";
import { Download, type Sizes } from "./download.js";
import { completeFile, folderOf, hasFileSystem, keyOf, lease, root } from "./folder.js";
import type { LogState } from "./log.js";
import { Store } from "./store.js";

const READ_BYTES = 4 << 20;
/** What of a file came before one of these is of no use. */
const DAMAGED = new Set(["download_changed", "download_length", "download_checksum"]);

export interface CacheContext {
  mode: CacheMode;
  notify: (notice: Notice) => void;
  /** Takes work that may go on beside the load and is waited for, a little, at its end. */
  beside: (task: Promise<void>) => void;
  /** For tests: other sizes of pieces. */
  sizes?: Sizes;
}

export class CachedSource implements ByteSource {
  total: number | undefined;
  readonly #url: string;
  readonly #signal: AbortSignal;
  readonly #options: DownloadOptions;
  readonly #context: CacheContext;
  /** That there is no such file is an answer that is kept as well. */
  readonly #isOptional: boolean;
  /** What is kept already was checked when it came. */
  readonly #checksum: Checksum | undefined;
  #given = 0;
  #identity: Identity | undefined;

  constructor(
    url: string,
    signal: AbortSignal,
    options: DownloadOptions,
    context: CacheContext,
    isOptional: boolean,
    checksum?: Checksum,
  ) {
    this.#checksum = checksum;
    this.#url = url;
    this.#signal = signal;
    this.#options = options;
    this.#context = context;
    this.#isOptional = isOptional;
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    try {
      for await (const chunk of this.#fromCache()) {
        this.#given += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      throwIfAborted(this.#signal);
      // Trouble with the download is the caller's to know; trouble with the storage is not.
      if (error instanceof HearthError) throw error;
      this.#context.notify(notCached(error));
    }
    const range: HttpRange = { from: this.#given, total: this.total, identity: this.#identity };
    const source = new HttpSource(this.#url, this.#signal, this.#options, this.#given > 0 ? range : undefined);
    for await (const chunk of source.chunks()) {
      this.total = source.total;
      this.#checksum?.update(chunk);
      yield chunk;
    }
    this.#checksum?.check();
  }

  async *#fromCache(): AsyncGenerator<Uint8Array, void, void> {
    if (!hasFileSystem()) throw new DOMException("there is no file system for pages here", "NotSupportedError");
    const key = await keyOf(this.#url);
    const folder = await folderOf(key);
    if (this.#context.mode === "default") {
      const release = await lease(key, "shared", { signal: this.#signal });
      try {
        const kept = await completeFile(folder);
        if (kept?.state.absent) throw this.#absent();
        if (kept !== undefined) {
          this.total = kept.data.size;
          this.#context.beside(this.#compare(kept.state));
          yield* blobSource(kept.data, this.#signal).chunks();
          return;
        }
      } finally {
        release?.();
      }
    }
    const release = await lease(key, "exclusive", { signal: this.#signal });
    let store: Store | undefined;
    try {
      store = await Store.open(folder, this.#url);
      if (this.#context.mode === "reload") store.forget();
      yield* this.#through(store);
    } finally {
      const isEmpty = store?.isEmpty === true;
      store?.close();
      if (isEmpty) await (await root()).removeEntry(key, { recursive: true });
      release?.();
    }
  }

  async *#through(store: Store): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* this.#downloaded(store);
    } catch (error) {
      throwIfAborted(this.#signal);
      const { code, status } = toHearthError(error);
      if (code === "download_http" && status === 404 && this.#isOptional) store.setAbsent();
      else if (DAMAGED.has(code) || !(error instanceof HearthError)) {
        // What is there is of another file, or in the way.
        store.forget();
      }
      // When it has changed since an earlier visit, nothing of the old one was given yet.
      if (code !== "download_changed" || this.#given > 0) throw error;
      yield* this.#downloaded(store);
    }
  }

  /** Downloads what is missing, and gives the file in order as it arrives. */
  async *#downloaded(store: Store): AsyncGenerator<Uint8Array, void, void> {
    const download = new Download(this.#url, store, this.#signal, this.#options, this.#context.sizes);
    try {
      const buffer = new Uint8Array(READ_BYTES);
      for (let at = 0; ;) {
        const there = await download.waitBeyond(at);
        // What came with the abort is not to be told from what came before.
        throwIfAborted(this.#signal);
        this.total = download.total;
        this.#identity = store.state;
        if (there === at) break;
        while (at < there) {
          const n = store.read(at, buffer.subarray(0, Math.min(buffer.length, there - at)));
          if (n === 0) throw new DOMException("the cache's file is shorter than it was", "InvalidStateError");
          at += n;
          this.#checksum?.update(buffer.subarray(0, n));
          yield buffer.subarray(0, n);
        }
      }
      this.#checksum?.check();
      store.complete();
    } finally {
      await download.end();
    }
  }

  /** Tells when the server has another file by now. */
  async #compare(kept: LogState): Promise<void> {
    try {
      const { headers = {} } = this.#options;
      const response = await fetch(this.#url, { method: "HEAD", headers, signal: this.#signal, cache: "no-cache" });
      const found = { etag: response.headers.get("ETag"), modified: response.headers.get("Last-Modified") };
      if (!response.ok || !isOther(kept, found)) return;
      this.#context.notify({
        code: "model_changed",
        message: `The server has another file at ${this.#url} than the one that was kept.`,
        hint: 'To use the new one, create the engine with cache: "reload".',
      });
    } catch {
      // Offline: what was kept is what there is.
    }
  }

  #absent(): HearthError {
    return new HearthError("download_http", `the server had nothing at ${this.#url}`, { status: 404 });
  }
}

function notCached(error: unknown): Notice {
  const isFull = error instanceof DOMException && error.name === "QuotaExceededError";
  return {
    code: "not_cached",
    message: `The model is not kept on this device: ${error instanceof Error ? error.message : String(error)}.`,
    hint: isFull
      ? "It runs all the same and is fetched again the next time. Remove other models to make room."
      : "It runs all the same and is fetched again the next time.",
  };
}
