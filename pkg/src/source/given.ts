/** Page side: addresses and options of downloads as they are sent to a worker. */
import { HearthError, invalid } from "../core/errors.js";
import type { DownloadOptions, SourceSpec } from "../core/protocol.js";
import { isSum } from "./listing.js";

/** Returns the download's options with absolute addresses, and refuses wrong ones. */
export function toDownload(download: DownloadOptions, source: SourceSpec): DownloadOptions {
  const { sha256, cacheKey } = download;
  if (sha256 !== undefined && !isSum(sha256)) throw invalid("download.sha256", "64 hexadecimal digits", sha256);
  if (cacheKey === undefined) return download;
  if (source.kind !== "url") throw invalid("download.cacheKey", "absent unless the model is an address", cacheKey);
  return { ...download, cacheKey: absolute(cacheKey) };
}

/** Returns the address to which a page's relative ones refer; undefined where there is no page. */
export function baseAddress(): string | undefined {
  return (globalThis as { document?: { baseURI: string } }).document?.baseURI;
}

/** Resolves an address relative to the page: inside the worker it would be relative to the worker's script. */
export function absolute(url: string | URL): string {
  try {
    return new URL(url, baseAddress()).href;
  } catch (cause) {
    throw new HearthError("invalid_request", `invalid request: not an address: ${String(url)}`, { cause });
  }
}
