/**
 * Fetches the missing parts of a file in the cache, in several pieces at once if the server supports ranges.
 *
 * The first request asks for one piece and so learns the file's length, its version, and whether ranges are supported.
 */
import { HearthError, throwIfAborted, toHearthError } from "../core/errors.js";
import type { DownloadOptions } from "../core/protocol.js";
import { shown } from "../source/address.js";
import { HttpSource, type HttpRange, type Identity } from "../source/http.js";
import type { RemoteFile } from "../source/source.js";
import type { Span } from "./log.js";
import type { Store } from "./store.js";

export interface Sizes {
  /** Bytes of a piece: the most that one connection fetches at a time. */
  piece: number;
  /** Progress is logged every this many bytes, so at most this much per connection is fetched twice. */
  record: number;
}
const SIZES: Sizes = { piece: 16 << 20, record: 4 << 20 };
const CONNECTIONS = 4;
const NOTHING: Identity = { etag: null, modified: null };

export class Download {
  total: number | undefined;
  readonly #file: RemoteFile;
  readonly #store: Store;
  readonly #signal: AbortSignal;
  readonly #options: DownloadOptions;
  readonly #sizes: Sizes;
  readonly #stop = new AbortController();
  /** Signal of the fallback download, which continues when the pieces are aborted. */
  readonly #whole: AbortSignal;
  readonly #pieces = new AbortController();
  readonly #running: Promise<void>;
  /** Gaps that no connection has taken yet. */
  #queue: Span[] = [];
  /** Written but unrecorded span of each piece in progress. */
  readonly #active = new Set<Span>();
  /** Whether the existing bytes are known to belong to the server's file. */
  #isConfirmed = false;
  /** Number of bytes readable from the beginning, and the result once the download has ended. */
  #prefix = 0;
  #end: { error?: unknown } | undefined;
  #wake: () => void = () => undefined;

  constructor(file: RemoteFile, store: Store, signal: AbortSignal, options: DownloadOptions, sizes = SIZES) {
    this.#sizes = sizes;
    this.#file = file;
    this.#store = store;
    this.#signal = AbortSignal.any([signal, this.#stop.signal, this.#pieces.signal]);
    this.#whole = AbortSignal.any([signal, this.#stop.signal]);
    this.#options = options;
    this.#running = this.#run().then(
      () => {
        this.#finish({});
      },
      (error: unknown) => {
        this.#finish({ error });
      },
    );
  }

  /** Waits until more than `at` bytes from the beginning are readable; returns `at` itself if the file ends there. */
  async waitBeyond(at: number): Promise<number> {
    for (;;) {
      if (this.#prefix > at) return this.#prefix;
      if (this.#end !== undefined) {
        if ("error" in this.#end) throw this.#end.error;
        return this.#prefix;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Stops the download and waits until nothing writes any more. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { total } = this.#store.state;
    if (total !== null) {
      this.#queue = this.#store.missing(total);
      this.total = total;
      if (this.#queue.length === 0) {
        this.#isConfirmed = true;
        return;
      }
    }
    let failure: { error: unknown } | undefined;
    // The first failure aborts the others, whose resulting errors are ignored.
    const guarded = (task: Promise<void>): Promise<void> =>
      task.catch((error: unknown) => {
        failure ??= { error };
        this.#pieces.abort();
      });
    const others: Promise<void>[] = [];
    const first = this.#take() ?? { from: 0, to: this.#sizes.piece };
    const learn = async (source: HttpSource): Promise<void> => {
      await this.#learn(source, first);
      if (!source.sendsRanges) return;
      const count = Math.max(1, this.#options.connections ?? CONNECTIONS) - 1;
      for (let i = 0; i < count; i++) others.push(guarded(this.#connection()));
    };
    await guarded(this.#fetch(first, learn).then(() => this.#connection()));
    await Promise.all(others);
    if (failure !== undefined) await this.#inOne(failure.error);
    this.total ??= this.#store.prefix;
  }

  /**
   * Downloads the file in a single response after pieces did not match: each node of a CDN may have a different ETag,
   * but one response is consistent. It is read from the beginning and must start with the bytes already delivered.
   */
  async #inOne(error: unknown): Promise<void> {
    throwIfAborted(this.#whole);
    if (toHearthError(error).code !== "download_changed" || !this.#isConfirmed) throw error;
    const source = new HttpSource(this.#file.url, this.#whole, this.#options);
    const given = this.#prefix;
    const done: Span = { from: given, to: given };
    let at = 0;
    this.#active.add(done);
    for await (const bytes of source.chunks()) {
      if (source.total !== this.total) throw error;
      const old = new Uint8Array(Math.max(0, Math.min(given - at, bytes.length)));
      this.#store.read(at, old);
      if (old.some((byte, i) => byte !== bytes[i])) throw error;
      at += bytes.length;
      this.#store.write(at - bytes.length + old.length, bytes.subarray(old.length));
      done.to = Math.max(given, at);
      if (done.to - done.from >= this.#sizes.record) this.#record(done);
      this.#advance();
    }
    this.#record(done);
    this.#active.delete(done);
  }

  /** Fetches pieces until none are left. */
  async #connection(): Promise<void> {
    for (let piece = this.#take(); piece !== undefined; piece = this.#take()) await this.#fetch(piece);
  }

  #take(): Span | undefined {
    const [gap] = this.#queue;
    if (gap === undefined) return undefined;
    const piece = { from: gap.from, to: Math.min(gap.to, gap.from + this.#sizes.piece) };
    gap.from = piece.to;
    if (gap.from === gap.to) this.#queue.shift();
    return piece;
  }

  async #fetch(piece: Span, learn?: (source: HttpSource) => Promise<void>): Promise<void> {
    const { etag, modified, total } = this.#store.state;
    const range: HttpRange = { ...piece, total: total ?? undefined };
    if (etag !== null || modified !== null) range.identity = { etag, modified };
    const source = new HttpSource(this.#file.url, this.#signal, this.#options, range);
    const done: Span = { from: piece.from, to: piece.from };
    this.#active.add(done);
    try {
      for await (const bytes of source.chunks()) {
        await learn?.(source);
        learn = undefined;
        this.#store.write(done.to, bytes);
        done.to += bytes.length;
        if (done.to - done.from >= this.#sizes.record) this.#record(done);
        this.#advance();
      }
    } finally {
      this.#active.delete(done);
      this.#record(done);
      this.#advance();
    }
  }

  /** Learns from the first response which file this is, its length, and which gaps other connections should fetch. */
  async #learn(source: HttpSource, piece: Span): Promise<void> {
    const { state } = this.#store;
    if (state.total === null || state.total !== source.total) {
      // The source compares lengths, so no bytes of another file can be here; without a length, no old bytes are kept.
      await this.#store.begin(source.total ?? null, source.identity ?? NOTHING, this.#file.version);
    }
    this.total = source.total;
    this.#isConfirmed = true;
    if (this.total === undefined) return;
    const gaps = this.#store.missing(this.total);
    this.#queue = source.sendsRanges ? gaps.flatMap((gap) => without(gap, piece)) : [];
  }

  #record(done: Span): void {
    this.#store.record({ ...done });
    done.from = done.to;
  }

  #advance(): void {
    if (!this.#isConfirmed) return;
    let prefix = this.#store.prefix;
    // Pieces that are written but not recorded yet extend the prefix.
    for (const { from, to } of [...this.#active].sort((a, b) => a.from - b.from)) {
      if (from <= prefix) prefix = Math.max(prefix, to);
    }
    this.#prefix = prefix;
    this.#wake();
  }

  #finish(end: { error?: unknown }): void {
    this.#advance();
    if (!("error" in end) && this.#prefix !== this.total) {
      const message = `${String(this.#prefix)} of ${String(this.total)} bytes of ${shown(this.#file.url)} came`;
      end = { error: new HearthError("download_length", message) };
    }
    this.#end = end;
    this.#wake();
  }
}

/** Returns the parts of a gap that are outside a piece. */
function without(gap: Span, piece: Span): Span[] {
  const before = { from: gap.from, to: Math.min(gap.to, piece.from) };
  const after = { from: Math.max(gap.from, piece.to), to: gap.to };
  return [before, after].filter(({ from, to }) => from < to);
}
