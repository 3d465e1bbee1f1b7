/**
 * A resumable download: after a break or stall it continues from the byte reached.
 *
 * The next request asks for a Range and verifies that the file is still the same (ETag or Last-Modified, and length). A
 * server that ignores Range answers 200 with the whole file; the bytes already received are then skipped.
 */
import { HearthError, throwIfAborted, toHearthError } from "../core/errors.js";
import type { DownloadOptions } from "../core/protocol.js";
import { shown } from "./address.js";
import { Patience, retryAfter, retryDelay, sleep } from "./retry.js";
import type { ByteSource } from "./source.js";
import { Stall } from "./stall.js";

const DEFAULT_STALL_MS = 30_000;
const DEFAULT_RETRIES = 5;
/** Sizes of the parts to request when nothing larger gets through. */
const MIN_PART = 16 << 10;
const MAX_PART = 1 << 20;
/** Transient statuses; all others are final. */
const TRANSIENT = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Validators that distinguish the versions of a file. */
export interface Identity {
  etag: string | null;
  modified: string | null;
}

/** A piece of a file, and what is already known about the file. */
export interface HttpRange {
  from: number;
  /** End of the piece, exclusive; without it, the piece extends to the end of the file. */
  to?: number;
  identity?: Identity | undefined;
  /** Length of the file. */
  total?: number | undefined;
}

export class HttpSource implements ByteSource {
  total: number | undefined;
  readonly #url: string;
  readonly #signal: AbortSignal;
  readonly #stallMs: number;
  readonly #retries: number;
  readonly #patience: Patience;
  readonly #from: number;
  #offset = 0;
  /** Maximum number of bytes in the next request; undefined for the rest of the file. */
  #limit: number | undefined;
  #identity: Identity | undefined;
  /** End of the piece; a server that ignores Range sends the rest of the file. */
  readonly #to: number | undefined;
  readonly #extra: Record<string, string>;
  /** Milliseconds to wait according to the last refusal; 0 or less if it named none. */
  #retryAfter = 0;

  /** Pieces are unusable, so the next request asks for the whole file. */
  #isWhole = false;

  /** The server has shown that it supports ranges. */
  sendsRanges = false;

  constructor(url: string, signal: AbortSignal, options: DownloadOptions = {}, range?: HttpRange) {
    this.#url = url;
    this.#from = this.#offset = range?.from ?? 0;
    this.#to = range?.to;
    this.#identity = range?.identity;
    this.total = range?.total;
    this.#extra = options.headers ?? {};
    this.#signal = signal;
    this.#stallMs = options.stallTimeoutMs ?? DEFAULT_STALL_MS;
    this.#retries = options.retries ?? DEFAULT_RETRIES;
    // An explicit number of attempts is taken literally, without further patience.
    this.#patience = new Patience(url, options.retries === undefined, signal);
  }

  /** Validators of the first response. */
  get identity(): Identity | undefined {
    return this.#identity;
  }

  /** End of the requested range, as far as known. */
  get #end(): number | undefined {
    return this.sendsRanges && this.#to !== undefined ? Math.min(this.#to, this.total ?? this.#to) : this.total;
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    let [fruitless, refusals] = [0, 0];
    for (;;) {
      const before = this.#offset;
      try {
        yield* this.#attempt();
        const end = this.#end;
        if (end === undefined || this.#offset === end) return;
        if (this.#limit !== undefined && this.#offset === before + this.#limit) {
          // A part arrived completely: the connection is better than assumed.
          fruitless = 0;
          this.#limit = this.#limit < MAX_PART ? this.#limit * 2 : undefined;
          continue;
        }
        throw new HearthError(
          "download_broken",
          `the connection ended after ${String(this.#offset)} of ${String(end)} bytes`,
        );
      } catch (error) {
        throwIfAborted(this.#signal);
        // Only consecutive attempts without a byte count: a large file on a bad connection may break many times.
        fruitless = this.#offset > before ? 0 : fruitless + 1;
        if (fruitless === 0) {
          refusals = 0;
          this.#patience.renew();
        }
        if (isRefused(error)) {
          // The signed address from a redirect may have expired; the original address signs again.
          if (refusals++ > 0 || !this.#hasBegun) throw error;
        } else if (!isRetryable(error)) throw error;
        else if (isUnreached(error) && (await this.#patience.waitForNetwork())) fruitless = 0;
        else if (fruitless >= this.#retries && !(isUnreached(error) && this.#patience.lasts)) throw error;
        // Bytes that arrived just before a break may never reach us: a browser drops the buffered rest of a body that
        // fails. A part that ends before the connection breaks does get through.
        if (fruitless > 0) this.#limit = Math.max(MIN_PART, MAX_PART >> (2 * fruitless));
        await sleep(retryDelay(fruitless, this.#retryAfter), this.#signal);
        this.#retryAfter = 0;
      }
    }
  }

  /** Whether bytes of this very file have been received, in this piece or another. */
  get #hasBegun(): boolean {
    return this.#offset > this.#from || this.#from > 0 || this.#identity !== undefined;
  }

  /** Sends one request for the bytes from `#offset` on, and yields them until it ends, breaks or stalls. */
  async *#attempt(): AsyncGenerator<Uint8Array, void, void> {
    const stall = new Stall(this.#stallMs, this.#signal);
    try {
      // The browser's HTTP cache would store the file a second time, and serves ranges of its compressed form.
      const request: RequestInit = { headers: this.#headers(), signal: stall.signal, cache: "no-store" };
      const response = await stall.watch(fetch(this.#url, request));
      this.#patience.answered();
      let skip = this.#accept(response);
      const reader = response.body?.getReader();
      if (reader === undefined) return;
      for (;;) {
        const { done, value } = await stall.watch(reader.read());
        if (done) return;
        const rest = value.subarray(Math.min(skip, value.length));
        skip -= value.length - rest.length;
        // A server may send more than the requested piece.
        const fresh = this.sendsRanges ? rest.subarray(0, (this.#to ?? Infinity) - this.#offset) : rest;
        if (fresh.length === 0) continue;
        this.#offset += fresh.length;
        this.#checkLength();
        yield fresh;
        // Bytes after the piece are not wanted.
        if (this.sendsRanges && this.#offset === this.#to) return;
      }
    } catch (error) {
      if (error instanceof HearthError) throw error;
      // fetch reports every network failure as a TypeError without a reason.
      throw new HearthError("download_broken", `the download broke after ${String(this.#offset)} bytes`, {
        cause: error,
      });
    } finally {
      stall.close();
    }
  }

  #headers(): Record<string, string> {
    const isAll = this.#offset === 0 && this.#limit === undefined && this.#to === undefined;
    if (isAll || this.#isWhole) return this.#extra;
    const end = Math.min(this.#to ?? Infinity, this.#offset + (this.#limit ?? Infinity));
    const last = Number.isFinite(end) ? String(end - 1) : "";
    const headers: Record<string, string> = { ...this.#extra, Range: `bytes=${String(this.#offset)}-${last}` };
    const validator = strong(this.#identity?.etag) ?? this.#identity?.modified;
    // Across origins If-Range would need the server's consent (a preflight); there the ETag of the response is compared
    // instead.
    if (validator && isSameOrigin(this.#url)) headers["If-Range"] = validator;
    return headers;
  }

  /** Checks the response's headers; returns the number of its first bytes that were already received. */
  #accept(response: Response): number {
    if (response.status === 416) {
      const length = Number(/\/(\d+)$/.exec(response.headers.get("Content-Range") ?? "")?.[1]);
      throw new HearthError(
        "download_length",
        `the server announced ${String(this.total)} bytes but has ${Number.isNaN(length) ? "fewer" : String(length)}`,
      );
    }
    if (!response.ok) {
      this.#retryAfter = retryAfter(response.headers);
      throw new HearthError("download_http", `the server answered ${String(response.status)} for ${shown(this.#url)}`, {
        status: response.status,
        hint: httpHint(response.status),
      });
    }
    this.#checkIdentity(response);
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("Content-Range") ?? "");
    const partial = response.status === 206;
    if (partial && response.headers.get("Content-Encoding") !== null) {
      this.#isWhole = true;
      throw new HearthError("download_broken", "the server sends compressed pieces, of which no file can be made");
    }
    if (partial && range !== null && Number(range[1]) !== this.#offset) {
      throw new HearthError(
        "download_length",
        `the server sent bytes from ${String(range[1])}, asked for ${String(this.#offset)}`,
      );
    }
    this.sendsRanges ||= partial;
    this.#learnTotal(response, partial, range?.[2]);
    return partial ? 0 : this.#offset;
  }

  #checkIdentity(response: Response): void {
    const found: Identity = {
      etag: response.headers.get("ETag"),
      modified: response.headers.get("Last-Modified"),
    };
    const known = this.#identity;
    // Before the first byte of a whole file, its version does not matter yet.
    if (known === undefined || (this.#offset === 0 && this.#to === undefined)) {
      this.#identity = found;
      return;
    }
    // Each node of a CDN may have its own ETag; if one request resumes on another node, an equal date is enough.
    const isSame = this.#to === undefined && known.modified !== null && known.modified === found.modified;
    if (isOther(known, found) && !isSame) {
      throw new HearthError("download_changed", `the file at ${shown(this.#url)} changed during the download`);
    }
  }

  #learnTotal(response: Response, partial: boolean, rangeTotal: string | undefined): void {
    // With Content-Encoding, Content-Length counts the compressed bytes, which are not visible here.
    if (response.headers.get("Content-Encoding") !== null) return;
    // A part's length does not reveal the file's; other origins may hide the header that does.
    const isPiece = this.#limit !== undefined || this.#to !== undefined;
    if (partial && isPiece && rangeTotal === undefined) return;
    const length = Number(response.headers.get("Content-Length") ?? Number.NaN);
    const total = partial ? Number(rangeTotal ?? this.#offset + length) : length;
    if (!Number.isSafeInteger(total)) return;
    if (this.total !== undefined && this.total !== total) {
      throw new HearthError(
        "download_changed",
        `the file at ${shown(this.#url)} had ${String(this.total)} bytes and now has ${String(total)}`,
      );
    }
    this.total = total;
  }

  #checkLength(): void {
    if (this.total !== undefined && this.#offset > this.total) {
      throw new HearthError(
        "download_length",
        `the server sent more than the ${String(this.total)} bytes it announced`,
      );
    }
  }
}

/** Reports whether two responses belong to different versions of a file, as far as their validators show. */
export function isOther(known: Identity, found: Identity): boolean {
  const differs = (a: string | null, b: string | null): boolean => a !== null && b !== null && a !== b;
  const etags = [plainEtag(known.etag), plainEtag(found.etag)] as const;
  return differs(...etags) || (found.etag === null && differs(known.modified, found.modified));
}

/**
 * Normalises an ETag for the weak comparison of RFC 9110, 8.8.3.2: intermediate servers write one as `"x"`, `W/"x"` or
 * `x`, and add a suffix when they compress.
 */
export function plainEtag(etag: string | null): string | null {
  const plain = etag
    ?.trim()
    .replace(/^W\//i, "")
    .replace(/^"(.*)"$/s, "$1");
  return plain?.replace(/[-;:]+(gzip|br|zstd|deflate|df)$/i, "") ?? null;
}

/**
 * Reports whether the server refused. If it had already sent bytes of the file, the refusal may come from one node or
 * an expired signature.
 */
function isRefused(error: unknown): boolean {
  const { code, status = 0 } = toHearthError(error);
  return code === "download_http" && status >= 400 && status < 500 && !TRANSIENT.has(status);
}

/** Reports whether no server answered. */
function isUnreached(error: unknown): boolean {
  const { code } = toHearthError(error);
  return code === "download_broken" || code === "download_stalled";
}

function isRetryable(error: unknown): boolean {
  const { code, status } = toHearthError(error);
  if (code === "download_http") return status !== undefined && TRANSIENT.has(status);
  return code === "download_broken" || code === "download_stalled";
}

/** Returns a strong ETag, the only kind that If-Range accepts. */
function strong(etag: string | null | undefined): string | undefined {
  return etag && !etag.startsWith("W/") ? etag : undefined;
}

function isSameOrigin(url: string): boolean {
  const here = (globalThis as { location?: { origin?: string } }).location?.origin;
  return here !== undefined && new URL(url).origin === here;
}

function httpHint(status: number): string {
  if (status === 401 || status === 403) {
    return "The server wants a login for this file, or its signed address is valid no more: use one that is public, or new.";
  }
  if (status === 404 || status === 410) return "There is no file at this address: check it for typing errors.";
  if (status >= 500 || status === 429) return "The server has trouble: try again in a moment.";
  return "Check the address of the model file.";
}
