/**
 * Where files are kept: in the origin's private file system (OPFS), `hearth/<key>/data` and `hearth/<key>/log`.
 * Beside them `checked` says when the server was asked last whether it has another file by now.
 *
 * The data is written first and the log tells of it afterwards, so that whatever ends a tab, what the log tells is there.
 */
import { withoutSecrets } from "../source/address.js";
import { parseLog, type LogState } from "./log.js";

const ROOT = "hearth";
const DAY_MS = 24 * 3600 * 1000;

/** What TypeScript's DOM library leaves to that of workers. */
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

/** Whether this context has such a file system at all; in private windows it may still refuse. */
export function hasFileSystem(): boolean {
  return typeof navigator !== "undefined" && "storage" in navigator && "getDirectory" in navigator.storage;
}

export async function root(): Promise<FileSystemDirectoryHandle> {
  const origin = await navigator.storage.getDirectory();
  return await origin.getDirectoryHandle(ROOT, { create: true });
}

/**
 * The folder of an address: a hash of it, since an address may be longer than a name. What only opens a file, such as a
 * signature, is no part of what it is.
 */
export async function keyOf(url: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(withoutSecrets(url)));
  return Array.from(new Uint8Array(digest, 0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export async function folderOf(key: string): Promise<FileSystemDirectoryHandle> {
  return await (await root()).getDirectoryHandle(key, { create: true });
}

/** The file's bytes as they are now, without a lock on them. */
export async function snapshot(folder: FileSystemDirectoryHandle, name: FileName): Promise<File | undefined> {
  try {
    return await (await folder.getFileHandle(name)).getFile();
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
    throw error;
  }
}

/** What the log tells of the file; undefined where there is none. */
export async function stateOf(folder: FileSystemDirectoryHandle): Promise<LogState | undefined> {
  return parseLog((await (await snapshot(folder, "log"))?.text()) ?? "");
}

/** A file that is all there, or known not to be anywhere. */
export async function completeFile(
  folder: FileSystemDirectoryHandle,
): Promise<{ state: LogState; data: File } | undefined> {
  const state = await stateOf(folder);
  const data = await snapshot(folder, "data");
  if (state === undefined || data === undefined) return undefined;
  return state.absent || (state.complete && data.size === state.total) ? { state, data } : undefined;
}

/** Writes behind what a file has; who cannot is none the worse for it. */
export async function append(folder: FileSystemDirectoryHandle, name: FileName, bytes: Uint8Array): Promise<void> {
  try {
    const file = await openSync(folder, name);
    try {
      file.write(bytes, { at: file.getSize() });
    } finally {
      file.close();
    }
  } catch {
    // The disk is full, or another tab is at it.
  }
}

/** Whether the server was not asked for a day whether it has another file. */
export async function isCheckDue(folder: FileSystemDirectoryHandle): Promise<boolean> {
  const last = Number((await (await snapshot(folder, "checked"))?.text())?.split("\n").at(-2) ?? 0);
  return isOld(last);
}

/** Whether a time is more than a day ago, or none. */
export function isOld(time: number | undefined): boolean {
  return !(Math.abs(Date.now() - (time ?? 0)) < DAY_MS);
}

/** Opens a file for this worker alone. A worker that was ended a moment ago may hold it a little longer. */
export async function openSync(folder: FileSystemDirectoryHandle, name: FileName): Promise<SyncAccessHandle> {
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
 * Holds the file's Web Lock until the function that it gives is called: shared by those who read a file that is complete,
 * exclusive while it is written. With `ifAvailable`, undefined where another has it.
 */
export async function lease(
  key: string,
  mode: LockMode,
  options: { signal?: AbortSignal; ifAvailable?: boolean } = {},
): Promise<(() => void) | undefined> {
  return await new Promise((resolve, reject) => {
    navigator.locks
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
