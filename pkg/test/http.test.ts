import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { HearthError } from "../src/core/errors.js";
import { HttpSource } from "../src/source/http.js";
import { FaultyServer, type Faults } from "./server.js";

const BODY = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7) % 251);
const NEVER = new AbortController().signal;

let server: FaultyServer;
let url: string;

// Node compiles a module for its first request, which on a busy machine takes longer than the stall limit here.
beforeAll(async () => {
  const first = new FaultyServer(BODY);
  await (await fetch(await first.listen())).arrayBuffer();
  first.close();
});

beforeEach(async () => {
  server = new FaultyServer(BODY);
  url = await server.listen();
});

afterEach(() => {
  server.close();
});

async function download(faults: Faults, retries = 3, stallTimeoutMs = 10_000, signal = NEVER): Promise<Uint8Array> {
  server.faults = faults;
  const parts: Uint8Array[] = [];
  for await (const chunk of new HttpSource(url, signal, { retries, stallTimeoutMs }).chunks()) parts.push(chunk);
  return new Uint8Array(Buffer.concat(parts));
}

async function failure(promise: Promise<unknown>): Promise<HearthError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HearthError);
  return error as HearthError;
}

describe("HttpSource", () => {
  it("downloads in one request without a Range", async () => {
    expect(await download({})).toEqual(BODY);
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]?.headers.range).toBeUndefined();
  });

  it("knows the total after the first chunk", async () => {
    const source = new HttpSource(url, NEVER);
    for await (const chunk of source.chunks()) {
      expect(chunk.length).toBeGreaterThan(0);
      expect(source.total).toBe(BODY.length);
      break;
    }
  });

  it("resumes a cut connection from the byte where it broke, as often as each attempt brings bytes", async () => {
    expect(await download({ cutAfter: 40_000 })).toEqual(BODY);
    expect(server.requests.length).toBeGreaterThan(5);
    expect(server.requests[1]?.headers.range).toBe("bytes=40000-");
  });

  it("takes the whole file from a server that compresses pieces", async () => {
    expect(await download({ cutAfter: 100_000, times: 1, compressed: true })).toEqual(BODY);
    expect(server.requests.map(({ headers }) => headers.range)).toEqual([undefined, "bytes=100000-", undefined]);
  });

  it("skips what it has when the server ignores Range", async () => {
    expect(await download({ cutAfter: 100_000, times: 1, noRange: true })).toEqual(BODY);
    expect(server.requests).toHaveLength(2);
  });

  it("resumes after a stall", async () => {
    expect(await download({ stallAfter: 50_000, times: 1 }, 3, 200)).toEqual(BODY);
    expect(server.requests[1]?.headers.range).toBe("bytes=50000-");
  });

  it("takes a file without a length", async () => {
    expect(await download({ chunked: true })).toEqual(BODY);
  });

  it("waits out a 503", async () => {
    expect(await download({ status: 503, times: 1 })).toEqual(BODY);
  });

  it("reports a 404 at once, with its status", async () => {
    const error = await failure(download({ status: 404 }));
    expect(error).toMatchObject({ code: "download_http", status: 404 });
    expect(error.hint).toContain("no file at this address");
    expect(server.requests).toHaveLength(1);
  });

  it("reports a server that stays quiet", async () => {
    expect(await failure(download({ stallAfter: 0 }, 2, 200))).toMatchObject({ code: "download_stalled" });
  });

  it("reports a connection that never brings a byte", async () => {
    expect(await failure(download({ cutAfter: 0 }, 2))).toMatchObject({ code: "download_broken" });
  });

  it("refuses to join two versions of a file", async () => {
    expect(await failure(download({ cutAfter: 40_000, changing: true }))).toMatchObject({ code: "download_changed" });
  });

  it("reports an announced length that the file does not have", async () => {
    expect(await failure(download({ lengthError: 5_000 }))).toMatchObject({ code: "download_length" });
  });

  it("obeys an abort while it waits", async () => {
    const controller = new AbortController();
    setTimeout(() => {
      controller.abort();
    }, 50);
    expect(await failure(download({ stallAfter: 10 }, 3, 5_000, controller.signal))).toMatchObject({
      code: "cancelled",
    });
  });
});
