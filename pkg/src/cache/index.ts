/** The models kept on this device, by address, and what engines keep of conversations. */
import { HearthError } from "../core/errors.js";
import { storage } from "../core/platform.js";
import { completeFile, hasFileSystem, keyOf, lease, root, stateOf } from "./folder.js";
import { bytesIn } from "./log.js";

export { clearContexts, contextBytes, deleteContext } from "./contexts.js";

/** A kept file, complete or partial. */
export interface CachedFile {
  url: string;
  /** Length of the file; null if the server did not report it. */
  total: number | null;
  /** Number of bytes kept. */
  bytes: number;
  complete: boolean;
  /** Time of completion. */
  time: Date | null;
}

/** Lists all kept files. */
export async function list(): Promise<CachedFile[]> {
  const files: CachedFile[] = [];
  for await (const [, folder] of folders()) {
    // An unreadable file does not hide the others.
    const state = await stateOf(folder).catch(() => undefined);
    if (state === undefined || state.absent) continue;
    const { url, total, complete, spans, time } = state;
    files.push({ url, total, complete, bytes: bytesIn(spans), time: time === undefined ? null : new Date(time) });
  }
  return files;
}

/**
 * Returns the file of an address without asking its server; undefined if it is not kept, or only in part. Given as
 * `model`, alone or with the others of its folder, it is loaded without any request.
 */
export async function file(url: string | URL): Promise<File | undefined> {
  if (!hasFileSystem()) return undefined;
  try {
    const kept = await completeFile(await (await root()).getDirectoryHandle(await keyOf(String(url))));
    return kept === undefined || kept.state.absent ? undefined : kept.data;
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
    throw error;
  }
}

/**
 * Removes the file of an address; returns false if there was none.
 *
 * @throws HearthError `busy` while it is read or downloaded, here or in another tab.
 */
async function remove(url: string | URL): Promise<boolean> {
  if (!hasFileSystem()) return false;
  return await removeKey(await keyOf(String(url)));
}
export { remove as delete };

/** Removes all files that are not in use. */
export async function clear(): Promise<void> {
  const keys: string[] = [];
  for await (const [key] of folders()) keys.push(key);
  for (const key of keys) {
    try {
      await removeKey(key);
    } catch (error) {
      if (!(error instanceof HearthError) || error.code !== "busy") throw error;
    }
  }
}

/** Returns the total bytes of all kept files. */
export async function size(): Promise<number> {
  return (await list()).reduce((sum, file) => sum + file.bytes, 0);
}

/** Asks the browser not to evict the site's storage; returns whether it agrees. */
export async function persist(): Promise<boolean> {
  return (await storage()?.persist()) === true;
}

async function removeKey(key: string): Promise<boolean> {
  const release = await lease(key, "exclusive", { ifAvailable: true });
  if (release === undefined) {
    throw new HearthError("busy", "this model is in use", { hint: "Dispose the engines that run it first." });
  }
  try {
    await (await root()).removeEntry(key, { recursive: true });
    return true;
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return false;
    throw error;
  } finally {
    release();
  }
}

async function* folders(): AsyncGenerator<[string, FileSystemDirectoryHandle], void, void> {
  if (!hasFileSystem()) return;
  for await (const [name, handle] of (await root()).entries()) {
    if (handle.kind === "directory") yield [name, handle];
  }
}
