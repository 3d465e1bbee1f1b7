/**
 * The location of cached files: `hearth/<key>/data` and `hearth/<key>/log` in the origin's private file system (OPFS).
 * A file `checked` alongside records when the server was last asked for a newer version.
 *
 * Data is written before the log records it, so whatever ends a tab, everything in the log exists.
 */
import { digestOf } from "../core/digest.js";
import { platform, storage } from "../core/platform.js";
import { withoutSecrets } from "../source/address.js";
import { parseLog, type LogState } from "./log.js";

const ROOT = "hearth";
const DAY_MS = 24 * 3600 * 1000;

/** Synchronous file handle, which TypeScript's DOM library declares for workers only. */
export interface SyncAccessHandle {
  read(buffer: Uint8Array, options: { at: number }): number;
  write(buffer: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

type FileName = "data" | "log" | "listing" | "checked";
type WorkerFileHandle = FileSystemFileHandle & { createSyncAccessHandle?(): Promise<SyncAccessHandle> };

/** Reports whether this context has a private file system at all; in private windows it may still refuse access. */
export function hasFileSystem(): boolean {
  return typeof storage()?.getDirectory === "function";
}

export async function root(): Promise<FileSystemDirectoryHandle> {
  const origin = await storage()?.getDirectory();
  if (origin === undefined) throw new DOMException("there is no file system for pages here", "NotSupportedError");
  return await origin.getDirectoryHandle(ROOT, { create: true });
}

/**
 * Returns the folder name of an address: a hash, since an address may be longer than a file name. Parts that only grant
 * access, such as a signature, do not count.
 */
export async function keyOf(url: string): Promise<string> {
  return await digestOf(new TextEncoder().encode(withoutSecrets(url)));
}

export async function folderOf(key: string): Promise<FileSystemDirectoryHandle> {
  return await (await root()).getDirectoryHandle(key, { create: true });
}

/** Returns the file's current bytes without locking it. */
export async function snapshot(folder: FileSystemDirectoryHandle, name: FileName): Promise<File | undefined> {
  try {
    return await (await folder.getFileHandle(name)).getFile();
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
    throw error;
  }
}

/** Returns the logged state of the file; undefined if there is no log. */
export async function stateOf(folder: FileSystemDirectoryHandle): Promise<LogState | undefined> {
  return parseLog((await (await snapshot(folder, "log"))?.text()) ?? "");
}

/** Returns a file that is complete or known to be absent from the server. */
export async function completeFile(
  folder: FileSystemDirectoryHandle,
): Promise<{ state: LogState; data: File } | undefined> {
  const state = await stateOf(folder);
  const data = await snapshot(folder, "data");
  if (state === undefined || data === undefined) return undefined;
  return state.absent || (state.complete && data.size === state.total) ? { state, data } : undefined;
}

/** Appends to a file. Failures are ignored, since nothing depends on it. */
export async function append(folder: FileSystemDirectoryHandle, name: FileName, bytes: Uint8Array): Promise<void> {
  try {
    const file = await openSync(folder, name);
    try {
      file.write(bytes, { at: file.getSize() });
    } finally {
      file.close();
    }
  } catch {
    // The disk is full, or another tab has the file open.
  }
}

/** Reports whether the last check for a newer version was over a day ago. */
export async function isCheckDue(folder: FileSystemDirectoryHandle): Promise<boolean> {
  const last = Number((await (await snapshot(folder, "checked"))?.text())?.split("\n").at(-2) ?? 0);
  return isOld(last);
}

/** Reports whether a time is more than a day away or undefined. */
export function isOld(time: number | undefined): boolean {
  return !(Math.abs(Date.now() - (time ?? 0)) < DAY_MS);
}

/** Opens a file for this worker alone, with retries: a recently ended worker may still hold it for a moment. */
export async function openSync(folder: FileSystemDirectoryHandle, name: string): Promise<SyncAccessHandle> {
  const file: WorkerFileHandle = await folder.getFileHandle(name, { create: true });
  if (file.createSyncAccessHandle === undefined) throw new DOMException("no synchronous access", "NotSupportedError");
  for (let wait = 10; ; wait *= 2) {
    try {
      return await file.createSyncAccessHandle();
    } catch (error) {
      const isHeld = error instanceof DOMException && error.name === "NoModificationAllowedError";
      if (!isHeld || wait > 2000) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

/**
 * Acquires the file's Web Lock and returns the function that releases it: shared for reading a complete file, exclusive
 * for writing. With `ifAvailable`, returns undefined if the lock is taken.
 */
export async function lease(
  key: string,
  mode: LockMode,
  options: { signal?: AbortSignal; ifAvailable?: boolean } = {},
): Promise<(() => void) | undefined> {
  return await new Promise((resolve, reject) => {
    (platform.locks ?? navigator.locks)
      .request(`hearth:${key}`, { mode, ...options }, (lock) => {
        if (lock === null) {
          resolve(undefined);
          return undefined;
        }
        return new Promise<void>((release) => {
          resolve(release);
        });
      })
      .catch(reject);
  });
}
