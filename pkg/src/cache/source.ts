/**
 * A model's file read via the cache: from there if it is complete, else downloaded into it in several pieces at once
 * and passed on in order as it arrives. Bytes kept when a tab or worker ended are not fetched again.
 *
 * Without room or a file system, the file is streamed as if there were no cache, and a notice says so.
 */
import { HearthError, throwIfAborted, toHearthError } from "../core/errors.js";
import type { CacheMode, DownloadOptions, Notice } from "../core/protocol.js";
import { shown } from "../source/address.js";
import { blobSource } from "../source/blob.js";
import { HttpSource, isOther, plainEtag, type HttpRange, type Identity } from "../source/http.js";
import type { Checksum } from "../source/checksum.js";
import type { ByteSource, RemoteFile } from "../source/source.js";
import { Download, type Sizes } from "./download.js";
import { append, completeFile, folderOf, hasFileSystem, isCheckDue, isOld, keyOf, lease, root } from "./folder.js";
import { toLine, type LogState } from "./log.js";
import { Store } from "./store.js";

const READ_BYTES = 4 << 20;
/** Errors after which the downloaded bytes must be discarded. */
const DAMAGED = new Set(["download_changed", "download_length", "download_checksum"]);
/** Errors meaning that no server could be reached. */
const UNREACHED = new Set(["download_broken", "download_stalled"]);

export interface CacheContext {
  mode: CacheMode;
  notify: (notice: Notice) => void;
  /** Registers work that may run alongside the load, which waits for it briefly at its end. */
  beside: (task: Promise<void>) => void;
  /** Tracks the files found on the device and those fetched, since files of two versions must not be mixed. */
  parts: Parts;
  /** Overrides the sizes of pieces, for tests. */
  sizes?: Sizes;
}

export class Parts {
  /** Whether the server has a different file from a kept one. */
  isChanged = false;
  isFetched = false;
  /** Comparisons that are not due yet and matter only if some file is fetched. */
  #later: (() => void)[] = [];

  compare(task: () => void, isDue: boolean): void {
    if (isDue || this.isFetched) task();
    else this.#later.push(task);
  }

  fetched(): void {
    this.isFetched = true;
    for (const task of this.#later.splice(0)) task();
  }

  check(): void {
    if (!this.isChanged || !this.isFetched) return;
    throw new HearthError(
      "download_changed",
      "the server has another model by now than the one that was kept in part",
      {
        hint: 'Files of two versions do not belong together: load it with cache: "reload".',
      },
    );
  }
}

export class CachedSource implements ByteSource {
  total: number | undefined;
  readonly #file: RemoteFile;
  readonly #signal: AbortSignal;
  readonly #options: DownloadOptions;
  readonly #context: CacheContext;
  readonly #checksum: Checksum | undefined;
  #given = 0;
  #identity: Identity | undefined;

  constructor(
    file: RemoteFile,
    signal: AbortSignal,
    options: DownloadOptions,
    context: CacheContext,
    checksum?: Checksum,
  ) {
    this.#checksum = checksum;
    this.#file = file;
    this.#signal = signal;
    this.#options = options;
    this.#context = context;
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
      // The caller must know of failures of the download, but not of the storage.
      if (error instanceof HearthError) throw error;
      this.#context.notify(notCached(error));
    }
    const range: HttpRange = { from: this.#given, total: this.total, identity: this.#identity };
    const source = new HttpSource(this.#file.url, this.#signal, this.#options, this.#given > 0 ? range : undefined);
    for await (const chunk of source.chunks()) {
      this.total = source.total;
      this.#checksum?.update(chunk);
      yield chunk;
    }
    this.#checksum?.check();
  }

  async *#fromCache(): AsyncGenerator<Uint8Array, void, void> {
    if (!hasFileSystem()) throw new DOMException("there is no file system for pages here", "NotSupportedError");
    const key = await keyOf(this.#file.key);
    const folder = await folderOf(key);
    let stale: LogState | undefined;
    if (this.#context.mode === "default") {
      const release = await lease(key, "shared", { signal: this.#signal });
      try {
        const kept = await completeFile(folder);
        if (kept?.state.absent && !isOld(kept.state.time)) throw this.#absent();
        if (kept !== undefined && !kept.state.absent && (await this.#isWanted(kept.state, kept.data, folder))) {
          this.total = kept.data.size;
          // A file with a version has already been compared.
          if (this.#file.version === undefined) await this.#compareSometimes(kept.state, folder);
          yield* blobSource(kept.data, this.#signal).chunks();
          return;
        }
        stale = kept?.state;
      } finally {
        release?.();
      }
    }
    const release = await lease(key, "exclusive", { signal: this.#signal });
    let store: Store | undefined;
    try {
      store = await Store.open(folder, this.#file.key, this.#file.version);
      // Unless another tab has fetched it in the meantime.
      if (this.#context.mode === "reload" || (stale?.complete && store.state.time === stale.time)) store.forget();
      yield* this.#through(store, stale?.absent === true);
    } finally {
      const isEmpty = store?.isEmpty === true;
      store?.close();
      if (isEmpty) await (await root()).removeEntry(key, { recursive: true });
      release?.();
    }
  }

  /** Reports whether the kept file is the requested one, however it was obtained. */
  async #isWanted(kept: LogState, data: Blob, folder: FileSystemDirectoryHandle): Promise<boolean> {
    const { version } = this.#file;
    if (this.#checksum !== undefined) {
      const { expected } = this.#checksum;
      if (kept.sum !== undefined) return kept.sum === expected;
      if (!(await this.#checksum.fits(blobSource(data, this.#signal)))) return false;
      await append(folder, "log", toLine({ sum: expected }));
      return true;
    }
    return version === undefined || kept.version === version || plainEtag(kept.etag) === version;
  }

  async *#through(store: Store, wasAbsent: boolean): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* this.#downloaded(store);
    } catch (error) {
      throwIfAborted(this.#signal);
      const { code, status } = toHearthError(error);
      if (wasAbsent && UNREACHED.has(code)) throw this.#absent();
      if (code === "download_http" && status === 404 && this.#file.isOptional) store.setAbsent();
      else if (DAMAGED.has(code) || !(error instanceof HearthError)) {
        // The existing bytes belong to another file or are unusable.
        store.forget();
      }
      // If it changed since an earlier visit, no bytes of the old one have been passed on.
      if (code !== "download_changed" || this.#given > 0) throw error;
      yield* this.#downloaded(store);
    }
  }

  /** Downloads the missing parts and yields the file in order as it arrives. */
  async *#downloaded(store: Store): AsyncGenerator<Uint8Array, void, void> {
    const download = new Download(this.#file, store, this.#signal, this.#options, this.#context.sizes);
    try {
      const buffer = new Uint8Array(READ_BYTES);
      for (let at = 0; ;) {
        const there = await download.waitBeyond(at);
        // Bytes that arrived with the abort cannot be distinguished from earlier ones.
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
      store.complete(this.#checksum?.expected);
      this.#context.parts.fetched();
    } finally {
      await download.end();
    }
  }

  /** Compares with the server at most once a day: more frequent requests would reveal every start to it. */
  async #compareSometimes(kept: LogState, folder: FileSystemDirectoryHandle): Promise<void> {
    const { parts, beside } = this.#context;
    parts.compare(
      () => {
        beside(this.#compare(kept, folder));
      },
      await isCheckDue(folder),
    );
  }

  /** Notifies if the server now has a different file. */
  async #compare(kept: LogState, folder: FileSystemDirectoryHandle): Promise<void> {
    const { url } = this.#file;
    try {
      const { headers = {} } = this.#options;
      const response = await fetch(url, { method: "HEAD", headers, signal: this.#signal, cache: "no-cache" });
      const found = { etag: response.headers.get("ETag"), modified: response.headers.get("Last-Modified") };
      if (!response.ok) return;
      if (!isOther(kept, found)) {
        await append(folder, "checked", new TextEncoder().encode(`${String(Date.now())}\n`));
        return;
      }
      this.#context.parts.isChanged = true;
      this.#context.notify({
        code: "model_changed",
        message: `The server has another file at ${shown(url)} than the one that was kept.`,
        hint: 'To use the new one, create the engine with cache: "reload".',
      });
    } catch {
      // Offline: the kept file is the only one available.
    }
  }

  #absent(): HearthError {
    return new HearthError("download_http", `the server had nothing at ${shown(this.#file.url)}`, { status: 404 });
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
