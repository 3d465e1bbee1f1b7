import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as cache from "../src/cache/index.js";
import { missing, parseLog, withSpan } from "../src/cache/log.js";
import { CachedSource, type CacheContext } from "../src/cache/source.js";
import type { CacheMode, DownloadOptions, Notice } from "../src/protocol.js";
import { Checksum } from "../src/source/checksum.js";
import type { WasmSha256 } from "../src/wasm-contract.js";
import { Opfs } from "./opfs.js";
import { FaultyServer } from "./server.js";

const SIZE = 1_000_003;
const BODY = Uint8Array.from({ length: SIZE }, (_, index) => (index * 31 + (index >> 9)) % 253);
const SIZES = { piece: 1 << 16, record: 1 << 14 };
const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

let opfs: Opfs;
let server: FaultyServer;
let url: string;
let notices: Notice[];
let besides: Promise<void>[];

beforeEach(async () => {
  opfs = new Opfs();
  opfs.install();
  server = new FaultyServer(BODY);
  url = await server.listen();
  notices = [];
  besides = [];
});

afterEach(() => {
  server.close();
  vi.unstubAllGlobals();
});

function source(
  mode: CacheMode = "default",
  signal = new AbortController().signal,
  download: DownloadOptions = {},
  isOptional = false,
  sum?: string,
): CachedSource {
  const context: CacheContext = {
    mode,
    notify: (notice) => notices.push(notice),
    beside: (task) => besides.push(task),
    sizes: SIZES,
  };
  const checksum = sum === undefined ? undefined : new Checksum(url, sum, sha256());
  return new CachedSource(url, signal, { retries: 2, stallTimeoutMs: 500, ...download }, context, isOptional, checksum);
}

/** As the core has it. */
function sha256(): WasmSha256 {
  const digest = createHash("sha256");
  return { update: (chunk) => digest.update(chunk), finish: () => digest.digest("hex"), free: () => undefined };
}

async function read(from: CachedSource): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  // The buffer is used again.
  for await (const chunk of from.chunks()) parts.push(chunk.slice());
  return new Uint8Array(Buffer.concat(parts));
}

const gets = (): number => server.requests.filter((request) => request.method === "GET").length;

describe("CachedSource", () => {
  it("fetches pieces side by side, keeps them, and reads them the next time without the server", async () => {
    expect(hash(await read(source()))).toBe(hash(BODY));
    expect(opfs.written).toBe(SIZE);
    expect(gets()).toBe(Math.ceil(SIZE / SIZES.piece));
    expect(await cache.list()).toMatchObject([{ url, total: SIZE, bytes: SIZE, complete: true }]);
    server.close();
    const again = source();
    expect(hash(await read(again))).toBe(hash(BODY));
    expect(again.total).toBe(SIZE);
    expect(notices).toEqual([]);
  });

  it("comes to the same file through a hundred kills, and fetches little twice", async () => {
    let seed = 7;
    const random = (n: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % n;
    };
    let kills = 0;
    const connections = 3;
    while (kills < 100) {
      if ((await cache.list())[0]?.complete) await cache.delete(url);
      const written = opfs.written;
      let bytes = 0;
      for (;;) {
        const controller = new AbortController();
        opfs.killAfter(1 + random(SIZE), () => {
          controller.abort();
        });
        try {
          const body = await read(source("default", controller.signal, { connections }));
          expect(hash(body)).toBe(hash(BODY));
          break;
        } catch (error) {
          expect(error).toMatchObject({ code: "cancelled" });
          kills += 1;
          bytes += connections * SIZES.record;
          if (random(3) === 0) {
            opfs.tearLogs(1 + random(20));
            // What the torn line told of is fetched again.
            bytes += SIZES.piece;
          }
        }
      }
      // One chunk of the network may lie beyond what was recorded as well.
      expect(opfs.written - written).toBeLessThanOrEqual(SIZE + bytes + kills * 65_536);
    }
  }, 60_000);

  it("takes up what a cancelled load left", async () => {
    const controller = new AbortController();
    const chunks = source("default", controller.signal).chunks();
    await chunks.next();
    await chunks.return();
    const before = opfs.written;
    expect(before).toBeLessThan(SIZE);
    expect((await cache.list())[0]).toMatchObject({ bytes: before, complete: false });
    expect(hash(await read(source()))).toBe(hash(BODY));
    expect(opfs.written).toBe(SIZE);
  });

  for (const [name, faults] of [
    ["no Range", { noRange: true }],
    ["no Range, cut once", { noRange: true, cutAfter: 300_000, times: 1 }],
    ["no length", { chunked: true, noRange: true }],
    ["cut again and again", { cutAfter: 20_000 }],
    ["pieces of the compressed file", { compressed: true }],
    ["a 503 at first", { status: 503, times: 1 }],
  ] as const) {
    it(`keeps a file from a server with ${name}`, async () => {
      server.faults = faults;
      expect(hash(await read(source()))).toBe(hash(BODY));
      expect((await cache.list())[0]).toMatchObject({ total: SIZE, complete: true });
      server.close();
      expect(hash(await read(source()))).toBe(hash(BODY));
    });
  }

  it("begins again when the file changed since an earlier visit", async () => {
    const chunks = source().chunks();
    await chunks.next();
    await chunks.return();
    server.etag = '"v2"';
    server.body = BODY.map((byte) => byte ^ 255);
    expect(hash(await read(source()))).toBe(hash(server.body));
  });

  it("begins again when the file has another length by now", async () => {
    const chunks = source().chunks();
    await chunks.next();
    await chunks.return();
    server.etag = '"v2"';
    server.body = BODY.subarray(0, 500_000);
    expect(hash(await read(source()))).toBe(hash(server.body));
  });

  it("tells that the server has another file than the one that was kept", async () => {
    await read(source());
    server.etag = '"v2"';
    expect(hash(await read(source()))).toBe(hash(BODY));
    await Promise.all(besides);
    expect(notices).toMatchObject([{ code: "model_changed" }]);
  });

  it("keeps no file whose SHA-256 is another one", async () => {
    const sum = hash(BODY);
    server.body = BODY.map((byte, i) => (i === 700_000 ? byte ^ 1 : byte));
    await expect(read(source("default", undefined, {}, false, sum))).rejects.toMatchObject({
      code: "download_checksum",
    });
    expect(await cache.list()).toEqual([]);
    // What an earlier visit left is part of the sum.
    server.body = BODY;
    const chunks = source("default", undefined, {}, false, sum).chunks();
    await chunks.next();
    await chunks.return();
    expect(hash(await read(source("default", undefined, {}, false, sum.toUpperCase())))).toBe(sum);
    server.close();
    expect(hash(await read(source("default", undefined, {}, false, sum)))).toBe(sum);
  });

  it("checks what it streams without the cache, too", async () => {
    opfs.room = SIZE / 2;
    vi.spyOn(navigator.storage, "estimate").mockResolvedValue({});
    expect(hash(await read(source("default", undefined, {}, false, hash(BODY))))).toBe(hash(BODY));
    const wrong = "0".repeat(64);
    await expect(read(source("default", undefined, {}, false, wrong))).rejects.toMatchObject({
      code: "download_checksum",
    });
  });

  it("fetches anew on reload", async () => {
    await read(source());
    server.body = BODY.map((byte) => byte ^ 1);
    expect(hash(await read(source("reload")))).toBe(hash(server.body));
    expect(hash(await read(source()))).toBe(hash(server.body));
  });

  it("streams without the cache where there is no room, and says so", async () => {
    opfs.room = SIZE - 1;
    expect(hash(await read(source()))).toBe(hash(BODY));
    expect(notices).toMatchObject([{ code: "not_cached" }]);
    expect(await cache.list()).toEqual([]);
  });

  it("goes on without the cache when the room ends in the middle", async () => {
    opfs.room = SIZE / 2;
    vi.spyOn(navigator.storage, "estimate").mockResolvedValue({});
    server.faults = { chunked: true, noRange: true };
    expect(hash(await read(source()))).toBe(hash(BODY));
    expect(notices).toMatchObject([{ code: "not_cached" }]);
    expect(await cache.size()).toBe(0);
  });

  it("streams where there is no file system", async () => {
    vi.stubGlobal("navigator", { storage: {} });
    expect(hash(await read(source()))).toBe(hash(BODY));
    expect(notices).toMatchObject([{ code: "not_cached" }]);
  });

  it("remembers that an optional file is not there", async () => {
    server.faults = { status: 404 };
    const optional = (): Promise<Uint8Array> => read(source("default", undefined, {}, true));
    await expect(optional()).rejects.toMatchObject({ code: "download_http", status: 404 });
    server.close();
    await expect(optional()).rejects.toMatchObject({ code: "download_http", status: 404 });
    expect(await cache.list()).toEqual([]);
  });

  it("keeps nothing of a file that is not there", async () => {
    server.faults = { status: 404 };
    await expect(read(source())).rejects.toMatchObject({ code: "download_http", status: 404 });
    expect(opfs.folders()).toEqual([]);
  });

  it("fetches a file once when two tabs want it", async () => {
    const both = await Promise.all([read(source()), read(source())]);
    for (const body of both) expect(hash(body)).toBe(hash(BODY));
    expect(opfs.written).toBe(SIZE);
  });

  it("does not remove what is being read", async () => {
    await read(source());
    const chunks = source().chunks();
    await chunks.next();
    await expect(cache.delete(url)).rejects.toMatchObject({ code: "busy" });
    await cache.clear();
    expect(await cache.size()).toBe(SIZE);
    await chunks.return();
    expect(await cache.delete(url)).toBe(true);
    expect(await cache.delete(url)).toBe(false);
    expect(await cache.list()).toEqual([]);
  });
});

describe("the log", () => {
  const first = '{"url":"http://a/","total":10,"etag":null,"modified":null}\n';

  it("does not count a line that was not finished", () => {
    const text = `${first}{"from":0,"to":4}\n{"from":6,"to":8}\n{"from":4,"to"`;
    expect(parseLog(text)?.spans).toEqual([
      { from: 0, to: 4 },
      { from: 6, to: 8 },
    ]);
    expect(parseLog(`${first}{"complete":true,"size":10,"time":5}`)?.complete).toBe(false);
    expect(parseLog('{"from":0,"to":4}\n')).toBeUndefined();
  });

  it("joins spans and knows what is missing", () => {
    const spans = [
      { from: 2, to: 4 },
      { from: 8, to: 9 },
    ];
    expect(missing(spans, 10)).toEqual([
      { from: 0, to: 2 },
      { from: 4, to: 8 },
      { from: 9, to: 10 },
    ]);
    expect(withSpan(spans, { from: 4, to: 8 })).toEqual([{ from: 2, to: 9 }]);
  });
});
