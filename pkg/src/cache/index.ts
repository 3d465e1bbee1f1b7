/** What is kept on this device: models by their addresses. */
import { HearthError } from "../core/errors.js";
import { hasFileSystem, keyOf, lease, root, stateOf } from "./folder.js";
import { bytesIn } from "./log.js";

/** A file that is kept, whole or in part. */
export interface CachedFile {
  url: string;
  /** Length of the file; null where the server did not tell it. */
  total: number | null;
  /** Bytes that are there. */
  bytes: number;
  complete: boolean;
  /** When it was complete. */
  time: Date | null;
}

/** All files that are kept. */
export async function list(): Promise<CachedFile[]> {
  const files: CachedFile[] = [];
  for await (const [, folder] of folders()) {
    // One that cannot be read hides no other.
    const state = await stateOf(folder).catch(() => undefined);
    if (state === undefined || state.absent) continue;
    const { url, total, complete, spans, time } = state;
    files.push({ url, total, complete, bytes: bytesIn(spans), time: time === undefined ? null : new Date(time) });
  }
  return files;
}

/**
 * Removes the file of an address; false where there was none.
 *
 * @throws HearthError `busy` while it is read or downloaded, here or in another tab.
 */
async function remove(url: string | URL): Promise<boolean> {
  if (!hasFileSystem()) return false;
  return await removeKey(await keyOf(String(url)));
}
export { remove as delete };

/** Removes all files that nobody uses. */
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

/** Bytes of all files that are kept. */
export async function size(): Promise<number> {
  return (await list()).reduce((sum, file) => sum + file.bytes, 0);
}

/** Asks the browser not to clear the site's storage by itself; whether it agrees. */
export async function persist(): Promise<boolean> {
  return hasFileSystem() && (await navigator.storage.persist());
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
