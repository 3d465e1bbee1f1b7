/** Tests of the cache on files of the machine: the cache's own code, on folders and locks of Node. */
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeEach, expect, it } from "vitest";
import * as cache from "../../src/cache/index.js";
import { CachedSource, Parts } from "../../src/cache/source.js";
import { platform } from "../../src/core/platform.js";
import type { Notice } from "../../src/core/protocol.js";
import { fileSource, Folder } from "../../src/node/files.js";
import { FileLocks } from "../../src/node/locks.js";
import type { ByteSource } from "../../src/source/source.js";
import { FaultyServer } from "../server.js";

const { signal } = new AbortController();
const root = mkdtempSync(join(tmpdir(), "hearth-files-"));
const body = new Uint8Array(3_000_000).map((_, i) => (i * 7919) >> 3);
let folder: string;
let server: FaultyServer;

beforeEach(() => {
  folder = mkdtempSync(join(root, "cache-"));
  server = new FaultyServer(body);
  platform.storage = {
    getDirectory: () => Promise.resolve(new Folder(folder) as unknown as FileSystemDirectoryHandle),
    estimate: () => Promise.resolve({}),
    persist: () => Promise.resolve(true),
  };
  platform.locks = new FileLocks(join(folder, "locks")) as unknown as LockManager;
});

afterEach(() => {
  server.close();
  delete platform.storage;
  delete platform.locks;
});

afterAll(() => {
  rmSync(root, { recursive: true });
});

async function bytesOf(source: ByteSource): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const chunk of source.chunks()) pieces.push(chunk.slice());
  return Buffer.concat(pieces);
}

function cached(url: string, notices: Notice[] = []): CachedSource {
  const file = { url, key: url, isOptional: false };
  const notify = (notice: Notice): void => void notices.push(notice);
  return new CachedSource(file, signal, {}, { mode: "default", notify, beside: () => 0, parts: new Parts() });
}

it("keeps a file, reads it without the network, lists it and deletes it", async () => {
  const url = await server.listen();
  const notices: Notice[] = [];
  expect(Buffer.compare(await bytesOf(cached(url, notices)), body)).toBe(0);
  expect(notices).toEqual([]);
  const { length } = server.requests;
  server.faults = { status: 500 };
  expect(Buffer.compare(await bytesOf(cached(url)), body)).toBe(0);
  expect(server.requests.filter(({ method }) => method === "GET")).toHaveLength(length);
  expect(await cache.list()).toMatchObject([{ url, total: body.length, bytes: body.length, complete: true }]);
  expect(await cache.persist()).toBe(true);
  expect(await cache.delete(url)).toBe(true);
  expect(await cache.delete(url)).toBe(false);
  expect(await cache.size()).toBe(0);
});

it("refuses to delete a file that another thread downloads", async () => {
  const url = await server.listen();
  const chunks = cached(url).chunks();
  await chunks.next();
  const other = new FileLocks(join(folder, "locks")) as unknown as LockManager;
  platform.locks = other;
  await expect(cache.delete(url)).rejects.toMatchObject({ code: "busy" });
  await chunks.return();
  expect(await cache.delete(url)).toBe(true);
});

it("keeps exclusive locks apart, also from shared ones, and takes over those of the dead", async () => {
  const locks = join(folder, "locks");
  const [one, two] = [new FileLocks(locks), new FileLocks(locks, (thread) => thread === 77)];
  const order: string[] = [];
  const slow = one.request("a:b", {}, async () => {
    await sleep(150);
    order.push("one");
  });
  const waiting = two.request("a:b", { mode: "shared" }, () => void order.push("two"));
  expect(await two.request("a:b", { ifAvailable: true }, (lock) => lock)).toBeNull();
  await Promise.all([slow, waiting]);
  expect(order).toEqual(["one", "two"]);
  expect(readdirSync(locks)).toEqual([]);

  const path = join(locks, "a-b.lock");
  const free = async (): Promise<boolean> => (await two.request("a:b", { ifAvailable: true }, (lock) => lock)) !== null;
  writeFileSync(path, `${String(process.pid)} 78\n`);
  expect(await free()).toBe(false);
  writeFileSync(path, `${String(process.pid)} 77\n`);
  expect(await free()).toBe(true);
  // No process has this number.
  writeFileSync(path, "4194999 0\n");
  expect(await free()).toBe(true);
  writeFileSync(path, `${String(process.ppid)} 0\n`);
  expect(await free()).toBe(false);
  const long = new Date(Date.now() - 3_600_000);
  utimesSync(path, long, long);
  expect(await free()).toBe(true);
  expect(existsSync(path)).toBe(false);
});

it("stops waiting for a lock on abort", async () => {
  const locks = new FileLocks(join(folder, "locks"));
  const controller = new AbortController();
  await locks.request("a", {}, async () => {
    const waiting = locks.request("a", { signal: controller.signal }, () => 1);
    controller.abort();
    await expect(waiting).rejects.toThrow("abort");
  });
});

it("reads files by their addresses, and says which is missing", async () => {
  const path = join(folder, "a b.gguf");
  writeFileSync(path, body);
  const source = fileSource(pathToFileURL(path).href, signal);
  expect(Buffer.compare(await bytesOf(source), body)).toBe(0);
  expect(source.total).toBe(body.length);
  const missing = fileSource(pathToFileURL(`${path}x`).href, signal);
  await expect(bytesOf(missing)).rejects.toMatchObject({ code: "io_error", message: `there is no file ${path}x` });
  await expect(bytesOf(fileSource(pathToFileURL(folder).href, signal))).rejects.toMatchObject({ code: "io_error" });
});
