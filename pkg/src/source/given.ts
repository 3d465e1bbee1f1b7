/** Page side: addresses and options of downloads as they are sent to a worker. */
import { HearthError, invalid } from "../core/errors.js";
import { platform } from "../core/platform.js";
import type { DownloadOptions, SourceSpec } from "../core/protocol.js";
import { shown } from "./address.js";
import { isSum } from "./listing.js";
import { parseHubId } from "./paste.js";
import { servePort } from "./port.js";

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

export type ModelSource = string | URL | Blob | FileSystemFileHandle | File[] | ReadableStream<Uint8Array>;

/** Returns the address or name of a model's source, without secrets; undefined for what has none. */
export function sourceName(model: ModelSource): string | undefined {
  if (typeof model === "string" || model instanceof URL) return shown(String(model));
  if (!Array.isArray(model)) return "name" in model ? String((model as { name: unknown }).name) : undefined;
  const [file] = model;
  // Files of one model are in its folder.
  if (model.length > 1) return /^[^/]+(?=\/)/.exec(file?.webkitRelativePath ?? "")?.[0];
  return file?.name;
}

/** Model as a caller gives it. */
export interface GivenModel {
  model: ModelSource;
  /** Length of a stream. */
  totalBytes?: number;
  download?: DownloadOptions;
}

/** Returns a model's source in a form that can be posted to a worker, and what is to be transferred with it. */
export async function toSource({ model, totalBytes, download }: GivenModel): Promise<{
  source: SourceSpec;
  transfer: Transferable[];
}> {
  if (Array.isArray(model)) return { source: { kind: "files", files: model }, transfer: [] };
  if (model instanceof Blob) return { source: { kind: "blob", blob: model }, transfer: [] };
  if (model instanceof ReadableStream) {
    const { port1, port2 } = new MessageChannel();
    servePort(model, port1);
    const source: SourceSpec = { kind: "port", port: port2 };
    if (totalBytes !== undefined) source.total = totalBytes;
    return { source, transfer: [port2] };
  }
  if (typeof model === "object" && "getFile" in model) {
    return { source: { kind: "blob", blob: await model.getFile() }, transfer: [] };
  }
  const place = platform.locate?.(String(model)) ?? model;
  const id = parseHubId(String(place));
  if (id === undefined) return { source: { kind: "url", url: absolute(place) }, transfer: [] };
  const source: SourceSpec = { kind: "hub", id };
  if (download?.hub !== undefined) source.endpoint = absolute(download.hub);
  return { source, transfer: [] };
}
