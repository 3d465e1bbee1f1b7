import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as cache from "../src/cache/index.js";
import { Store } from "../src/cache/store.js";
import { CachedSource, Parts, type CacheContext } from "../src/cache/source.js";
import type { CacheMode, DownloadOptions, Notice } from "../src/core/protocol.js";
import { Checksum } from "../src/source/checksum.js";
import { withoutSecrets } from "../src/source/address.js";
import type { RemoteFile } from "../src/source/source.js";
import type { WasmSha256 } from "../src/core/wasm-contract.js";
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
let parts: Parts;

beforeEach(async () => {
  opfs = new Opfs();
  opfs.install();
  server = new FaultyServer(BODY);
  url = await server.listen();
  notices = [];
  besides = [];
  parts = new Parts();
});

afterEach(() => {
  server.close();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function source(
  mode: CacheMode = "default",
  signal = new AbortController().signal,
  download: DownloadOptions = {},
  isOptional = false,
  sum?: string,
  file: Partial<RemoteFile> = {},
): CachedSource {
  const context: CacheContext = {
    mode,
    notify: (notice) => notices.push(notice),
    beside: (task) => besides.push(task),
    parts,
    sizes: SIZES,
  };
  const checksum = sum === undefined ? undefined : new Checksum(url, sum, sha256);
  const remote: RemoteFile = { url, key: withoutSecrets(url), isOptional, sum, ...file };
  return new CachedSource(remote, signal, { retries: 2, stallTimeoutMs: 20_000, ...download }, context, checksum);
}

/** Creates a SHA-256 with the core's interface. */
function sha256(): WasmSha256 {
  const digest = createHash("sha256");
  return { update: (chunk) => digest.update(chunk), finish: () => digest.digest("hex"), free: () => undefined };
}

async function read(from: CachedSource): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  // Copies, since the source reuses its buffer.
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
            // The span in the torn line is fetched again.
            bytes += SIZES.piece;
          }
        }
      }
      // One network chunk may also have been written without being recorded.
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
    // Bytes from an earlier visit are included in the sum.
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

  it("holds what was kept to a SHA-256 as well, however it came", async () => {
    await read(source());
    const before = gets();
    const pinned = (sum: string): Promise<Uint8Array> => read(source("default", undefined, {}, false, sum));
    // The file was kept without a sum, which is computed once and then logged.
    for (let i = 0; i < 2; i++) expect(hash(await pinned(hash(BODY)))).toBe(hash(BODY));
    expect(gets()).toBe(before);
    // The kept file has a different sum: it is fetched again, and then the server's sum differs as well.
    await expect(pinned("0".repeat(64))).rejects.toMatchObject({ code: "download_checksum" });
    const other = BODY.map((byte) => byte ^ 3);
    await read(source());
    server.body = other;
    expect(hash(await pinned(hash(other)))).toBe(hash(other));
  });

  it("takes no other version than the one that is asked for", async () => {
    const of = (version: string): Promise<Uint8Array> =>
      read(source("default", undefined, {}, false, undefined, { version }));
    await of("v1");
    const before = gets();
    await of("v1");
    expect(gets()).toBe(before);
    server.etag = '"v2"';
    server.body = BODY.map((byte) => byte ^ 9);
    expect(hash(await of("v2"))).toBe(hash(server.body));
    // A file kept by an earlier program has no version, but an ETag.
    await cache.clear();
    await read(source());
    const kept = gets();
    await of("v2");
    expect(gets()).toBe(kept);
  });

  it("asks at most once a day whether the server has another file", async () => {
    await read(source());
    const heads = async (): Promise<number> => {
      // Simulates a new load.
      parts = new Parts();
      await read(source());
      await Promise.all(besides);
      return server.requests.filter(({ method }) => method === "HEAD").length;
    };
    expect([await heads(), await heads()]).toEqual([1, 1]);
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 25 * 3600 * 1000);
    expect(await heads()).toBe(2);
  });

  it("finds files of two versions, also on a day when it would not ask", async () => {
    await read(source());
    await read(source());
    await Promise.all(besides);
    server.etag = '"v2"';
    parts = new Parts();
    await read(source());
    parts.check();
    await read(source("default", undefined, {}, false, undefined, { url: `${url}?2`, key: `${url}?2` }));
    await Promise.all(besides);
    expect(() => {
      parts.check();
    }).toThrow(expect.objectContaining({ code: "download_changed" }) as Error);
  });

  it("keeps a file once, whatever signs its address, and nothing of the secret", async () => {
    const signed = (secret: string): Promise<Uint8Array> => {
      const address = `${url}?X-Amz-Signature=${secret}`;
      return read(source("default", undefined, {}, false, undefined, { url: address, key: address }));
    };
    await signed("one");
    await signed("two");
    expect((await cache.list()).map((file) => file.url)).toEqual([url]);
    expect(await cache.delete(`${url}?X-Amz-Signature=three`)).toBe(true);
  });

  it("fetches a file whose ETag differs by node in one go", async () => {
    server.faults = { changing: true };
    expect(hash(await read(source()))).toBe(hash(BODY));
    expect((await cache.list())[0]).toMatchObject({ total: SIZE, complete: true });
  });

  it("does not join two files, one of which was given in part", async () => {
    server.faults = { changing: true };
    vi.spyOn(Store.prototype, "write").mockImplementationOnce(function (this: Store, at, bytes) {
      // From here on the server has a different file.
      server.body = BODY.map((byte) => byte ^ 1);
      this.write(at, bytes);
    });
    await expect(read(source("default", undefined, { connections: 1 }))).rejects.toMatchObject({
      code: "download_changed",
    });
    expect(await cache.list()).toEqual([]);
  });

  it("remembers for a day that an optional file is not there", async () => {
    const optional = (): Promise<Uint8Array> => read(source("default", undefined, {}, true));
    server.faults = { status: 404 };
    await expect(optional()).rejects.toMatchObject({ code: "download_http", status: 404 });
    server.faults = {};
    await expect(optional()).rejects.toMatchObject({ code: "download_http", status: 404 });
    expect(await cache.list()).toEqual([]);
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 25 * 3600 * 1000);
    expect(hash(await optional())).toBe(hash(BODY));
  });

  it("keeps to what is known of an optional file while there is no network", async () => {
    const optional = (): Promise<Uint8Array> => read(source("default", undefined, { retries: 1 }, true));
    server.faults = { status: 404 };
    await expect(optional()).rejects.toMatchObject({ status: 404 });
    server.close();
    vi.spyOn(Date, "now").mockReturnValue(Date.now() + 25 * 3600 * 1000);
    await expect(optional()).rejects.toMatchObject({ code: "download_http", status: 404 });
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

describe("logs of other hands", () => {
  it.each([
    ["a word", "null\n"],
    ["no address", '{"url":"nowhere","total":5}\n'],
    ["a later version", '{"v":9,"url":"http://a/","blocks":[1]}\n'],
    ["nothing", ""],
  ])("with %s hide no other file, and are begun anew", async (_, text) => {
    await read(source());
    const [folder] = opfs.folders();
    const log = folder?.files.get("log");
    if (log === undefined) throw new Error("no log");
    log.bytes = new TextEncoder().encode(text);
    const other = `${url}?2`;
    await read(source("default", undefined, {}, false, undefined, { url: other, key: other }));
    expect((await cache.list()).map((file) => file.url)).toEqual([other]);
    expect(hash(await read(source()))).toBe(hash(BODY));
  });

  it("writes all of a line where the browser writes a part", async () => {
    opfs.shortWrites = true;
    expect(hash(await read(source()))).toBe(hash(BODY));
    expect((await cache.list())[0]).toMatchObject({ complete: true });
  });
});
