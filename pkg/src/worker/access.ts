/** Worker side: the source of a model's files and listings, by way of the cache unless the caller disables it. */
import { keepListing, keptListing } from "../cache/listing.js";
import { CachedSource, Parts, type CacheContext } from "../cache/source.js";
import { throwIfAborted } from "../core/errors.js";
import { localFile } from "../core/platform.js";
import type { LoadRequest, Notice } from "../core/protocol.js";
import type { WasmSha256 } from "../core/wasm-contract.js";
import { checked, Checksum } from "../source/checksum.js";
import { HttpSource } from "../source/http.js";
import type { HubAccess } from "../source/hub.js";
import { hubAccess, type OpenUrl } from "../source/index.js";
import { sleep } from "../source/retry.js";
import type { RemoteFile } from "../source/source.js";

/** Time to wait for background tasks at the end of a load. */
const BESIDE_MS = 2000;

export interface Access {
  open: OpenUrl;
  hub: HubAccess;
  /** Finishes the load after everything has been read. */
  finish(): Promise<void>;
}

/** Returns the access for one load. `Sha256`: the class that computes sums, which each module has its own of. */
export function accessTo(
  Sha256: new () => WasmSha256,
  { cache, download }: Pick<LoadRequest, "cache" | "download">,
  signal: AbortSignal,
  notify: (notice: Notice) => void,
): Access {
  const hub = hubAccess(signal, download);
  const checksumOf = ({ url, sum }: RemoteFile): Checksum | undefined =>
    sum === undefined ? undefined : new Checksum(url, sum, () => new Sha256());
  if (cache === "no-store") {
    return {
      open: (file) =>
        checked(localFile(file.url, signal) ?? new HttpSource(file.url, signal, download), checksumOf(file)),
      hub,
      finish: () => Promise.resolve(),
    };
  }
  const beside: Promise<void>[] = [];
  const lists = new Map<string, string>();
  let isNotified = false;
  const context: CacheContext = {
    mode: cache,
    parts: new Parts(),
    // One notice suffices for a model of many files.
    notify: (notice) => {
      if (!isNotified) notify(notice);
      isNotified = true;
    },
    beside: (task) => beside.push(task),
  };
  return {
    open: (file) => {
      const local = localFile(file.url, signal);
      if (local !== undefined) return checked(local, checksumOf(file));
      return new CachedSource(file, signal, download, context, checksumOf(file));
    },
    hub: {
      ...hub,
      ...(cache === "default" ? { kept: keptListing } : {}),
      keep: (key, list) => lists.set(key, list),
    },
    finish: async () => {
      if (beside.length > 0) await Promise.race([Promise.all(beside), sleep(BESIDE_MS, signal)]);
      throwIfAborted(signal);
      context.parts.check();
      // Only now are all files in the listing kept.
      for (const [key, list] of lists) await keepListing(key, list);
    },
  };
}
