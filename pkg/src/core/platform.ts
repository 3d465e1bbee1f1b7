/** Parts of a browser that other places have in a form of their own; `node/platform.ts` sets them. */
import type { ByteSource } from "../source/source.js";
import type { DeviceChoice } from "./protocol.js";

export interface Platform {
  /** Device of an engine whose caller names none. */
  device?: DeviceChoice;
  /** Reason why there is no WebGPU where there is none, and advice. */
  noGpu?: { missing: string; hint: string };
  /** GiB of the machine's memory. */
  deviceMemory?: number;
  storage?: Pick<StorageManager, "getDirectory" | "estimate" | "persist">;
  locks?: Pick<LockManager, "request">;
  /** Starts a worker; returns undefined to leave it to `Worker`. */
  startWorker?: (url: string | URL, name: string) => Worker | undefined;
  /** Returns the address of a model that is named by its path; undefined for any other name. */
  locate?: (model: string) => string | undefined;
  /** Opens a file of the machine by its address. */
  openFile?: (url: string, signal: AbortSignal) => ByteSource;
}

export const platform: Platform = {};

/** Returns the storage of files; undefined where there is none. */
export function storage(): Platform["storage"] {
  return platform.storage ?? (globalThis as { navigator?: { storage?: StorageManager } }).navigator?.storage;
}

/** Opens a file of the machine; returns undefined for an address on the network. */
export function localFile(url: string, signal: AbortSignal): ByteSource | undefined {
  return url.startsWith("file:") ? platform.openFile?.(url, signal) : undefined;
}
