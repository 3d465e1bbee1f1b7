/**
 * Conversations that the engine keeps on this device, so that they are not read again: `hearth-contexts/<key>/<page>` in
 * the origin's private file system. The core makes pages and knows a damaged one; here they are bytes with a name.
 */
import { digestOf } from "../core/digest.js";
import { storage } from "../core/platform.js";
import { hasFileSystem, openSync } from "./folder.js";

const ROOT = "hearth-contexts";

/** A page of a conversation as it lies on the device. */
interface KeptPage {
  name: string;
  bytes: number;
  /** Time of the last write, in milliseconds. */
  time: number;
}

/** Returns the names of a conversation's pages, in the order in which they are put back. */
export async function pageNames(key: string): Promise<string[]> {
  const folder = await folderOf(key, false);
  return folder === undefined ? [] : (await pagesIn(folder)).map(({ name }) => name).sort();
}

export async function readPage(key: string, name: string): Promise<Uint8Array> {
  const folder = await folderOf(key, false);
  const file = await (await folder?.getFileHandle(name))?.getFile();
  return new Uint8Array((await file?.arrayBuffer()) ?? new ArrayBuffer(0));
}

/** Writes a page; one that the disk has no room for is removed again. */
export async function writePage(key: string, name: string, bytes: Uint8Array): Promise<void> {
  const folder = await folderOf(key, true);
  if (folder === undefined) return;
  const file = await openSync(folder, name);
  let isWhole = false;
  try {
    file.truncate(0);
    // Firefox writes a part of the bytes where Chromium throws.
    isWhole = file.write(bytes, { at: 0 }) === bytes.length;
    file.flush();
  } finally {
    file.close();
    if (!isWhole) await folder.removeEntry(name);
  }
  if (!isWhole) throw new DOMException("no room for the conversation", "QuotaExceededError");
}

export async function removePages(key: string, names: Iterable<string>): Promise<void> {
  const folder = await folderOf(key, false);
  for (const name of names) await folder?.removeEntry(name);
}

/**
 * Makes room for `bytes` more of a conversation: of the others, those go first that were not written for the longest time.
 * Returns whether all of them together now take at most `most`.
 */
export async function makeRoom(key: string, bytes: number, most: number): Promise<boolean> {
  const own = await nameOf(key);
  let total = bytes;
  const others: { name: string; bytes: number; time: number }[] = [];
  for await (const [name, folder] of folders()) {
    const pages = await pagesIn(folder);
    const sum = pages.reduce((sum, page) => sum + page.bytes, 0);
    total += sum;
    if (name !== own) others.push({ name, bytes: sum, time: Math.max(0, ...pages.map(({ time }) => time)) });
  }
  others.sort((a, b) => a.time - b.time);
  for (const { name, bytes } of others) {
    if (total <= most) break;
    await (await root())?.removeEntry(name, { recursive: true });
    total -= bytes;
  }
  return total <= most;
}

/** Removes what is kept of a conversation, by the `prompt_cache_key` of its requests; an engine that saves it stops. */
export async function deleteContext(key: string): Promise<void> {
  tellRemoved(key);
  await removeFolder(await nameOf(key));
}

/** Removes what is kept of all conversations; engines that save one stop. */
export async function clearContexts(): Promise<void> {
  tellRemoved(null);
  const names: string[] = [];
  for await (const [name] of folders()) names.push(name);
  for (const name of names) await removeFolder(name);
}

/** Calls back when a conversation is removed, by its key, or all of them (null), wherever on this site that happens. */
export function onRemoved(listener: (key: string | null) => void): void {
  const channel = channelOf();
  if (channel === undefined) return;
  channel.onmessage = ({ data }: MessageEvent<string | null>): void => {
    listener(data);
  };
}

function tellRemoved(key: string | null): void {
  const channel = channelOf();
  channel?.postMessage(key);
  channel?.close();
}

function channelOf(): BroadcastChannel | undefined {
  if (typeof BroadcastChannel === "undefined") return undefined;
  const channel = new BroadcastChannel(ROOT);
  // Outside browsers an open channel would keep the process alive.
  (channel as { unref?: () => void }).unref?.();
  return channel;
}

/** Removes a folder, with retries: a page of it may be on its way to the disk. */
async function removeFolder(name: string): Promise<void> {
  for (let wait = 10; ; wait *= 2) {
    try {
      await (await root())?.removeEntry(name, { recursive: true });
      return;
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      if (error.name === "NotFoundError") return;
      if (error.name !== "NoModificationAllowedError" || wait > 2000) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** Returns the total bytes of what is kept of conversations. */
export async function contextBytes(): Promise<number> {
  let total = 0;
  for await (const [, folder] of folders()) {
    for (const { bytes } of await pagesIn(folder)) total += bytes;
  }
  return total;
}

async function root(): Promise<FileSystemDirectoryHandle | undefined> {
  if (!hasFileSystem()) return undefined;
  const origin = await storage()?.getDirectory();
  return await origin?.getDirectoryHandle(ROOT, { create: true });
}

async function nameOf(key: string): Promise<string> {
  return await digestOf(new TextEncoder().encode(key));
}

async function folderOf(key: string, create: boolean): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await (await root())?.getDirectoryHandle(await nameOf(key), { create });
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return undefined;
    throw error;
  }
}

async function* folders(): AsyncGenerator<[string, FileSystemDirectoryHandle], void, void> {
  const all = await root();
  if (all === undefined) return;
  for await (const [name, handle] of all.entries()) {
    if (handle.kind === "directory") yield [name, handle];
  }
}

async function pagesIn(folder: FileSystemDirectoryHandle): Promise<KeptPage[]> {
  const pages: KeptPage[] = [];
  for await (const [name, handle] of folder.entries()) {
    if (handle.kind !== "file") continue;
    const { size: bytes, lastModified: time } = await handle.getFile();
    pages.push({ name, bytes, time });
  }
  return pages;
}
