/** Tests of how long a download waits after a refusal, with a simulated clock. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HttpSource } from "../src/source/http.js";

const URL_OF_FILE = "https://models.example/model.gguf";
const BODY = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);
const NOW = Date.parse("Fri, 27 Nov 2026 23:14:48 GMT");

/** Status and headers of each refusal, or a connection that breaks before any arrive; after these the file is sent. */
type Refusals = ([status: number, headers: Record<string, string>] | "broken")[];

/** Time of each request, in milliseconds after the first. */
let sent: number[];

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  sent = [];
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function serve(refusals: Refusals): void {
  vi.stubGlobal("fetch", (_url: string, init: RequestInit) => {
    const refusal = refusals[sent.length];
    sent.push(Date.now() - NOW);
    if (refusal === "broken") return Promise.reject(new TypeError("Failed to fetch"));
    if (refusal !== undefined) {
      return Promise.resolve(new Response("<h1>Slow down</h1>", { status: refusal[0], headers: refusal[1] }));
    }
    const range = new Headers(init.headers).get("Range");
    const headers: Record<string, string> = { "Content-Length": "1000" };
    if (range !== null) headers["Content-Range"] = "bytes 0-999/1000";
    return Promise.resolve(new Response(BODY, { status: range === null ? 200 : 206, headers }));
  });
}

async function download(retries: number | undefined = 5, url = URL_OF_FILE): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const all = (async () => {
    const options = retries === 0 ? {} : { retries };
    for await (const chunk of new HttpSource(url, new AbortController().signal, options).chunks()) {
      parts.push(chunk);
    }
  })();
  // A failure is examined after the clock has run.
  all.catch(() => undefined);
  await vi.runAllTimersAsync();
  await all;
  return new Uint8Array(Buffer.concat(parts));
}

it.each<[string, number, Record<string, string>, number]>([
  ["429, in seconds", 429, { "Retry-After": "7" }, 7000],
  ["503 of a CDN, in seconds", 503, { "retry-after": "12", "content-type": "text/html" }, 12_000],
  ["429, until a date", 429, { "Retry-After": "Fri, 27 Nov 2026 23:15:00 GMT" }, 12_000],
  ["503, until a date in the old form", 503, { "Retry-After": "Friday, 27-Nov-26 23:15:00 GMT" }, 12_000],
  [
    "429, until a date by the server's clock, which differs from ours",
    429,
    { "Retry-After": "Fri, 27 Nov 2026 20:00:09 GMT", Date: "Fri, 27 Nov 2026 20:00:00 GMT" },
    9000,
  ],
  ["429, for longer than anybody waits", 429, { "Retry-After": "3600" }, 30_000],
  ["429, until tomorrow", 429, { "Retry-After": "Sat, 28 Nov 2026 23:15:00 GMT" }, 30_000],
  ["503, until a date that is over", 503, { "Retry-After": "Fri, 27 Nov 2026 23:00:00 GMT" }, 250],
  ["503, at once", 503, { "Retry-After": "0" }, 250],
  ["429, in words", 429, { "Retry-After": "soon" }, 250],
  ["429 of a bucket that names no time", 429, { RateLimit: '"resolvers";r=0;t=55' }, 250],
])("is waited for: %s", async (_, status, headers, ms) => {
  serve([[status, headers]]);
  expect(await download()).toEqual(BODY);
  expect(sent).toEqual([0, ms]);
});

it("obeys each refusal once, and waits longer and longer where none asks for a time", async () => {
  serve([[429, { "Retry-After": "7" }], "broken", [503, {}], [429, { "Retry-After": "1" }]]);
  expect(await download()).toEqual(BODY);
  expect(sent).toEqual([0, 7000, 7500, 8500, 9500]);
});

it("gives up after so many refusals, with the last one's status", async () => {
  serve(Array.from({ length: 9 }, () => [429, { "Retry-After": "2" }]));
  await expect(download(3)).rejects.toMatchObject({ code: "download_http", status: 429 });
  expect(sent).toEqual([0, 2000, 4000]);
});

describe("without a network", () => {
  const HOST = "https://moving.example";

  /** Makes the host known, as after half of a download. */
  beforeEach(async () => {
    serve([]);
    await download(1, `${HOST}/first.gguf`);
    sent = [];
  });

  it("goes on for as long as a change of networks takes, however fast each attempt fails", async () => {
    serve(Array.from({ length: 20 }, () => "broken" as const));
    expect(await download(0, `${HOST}/model.gguf`)).toEqual(BODY);
    expect(sent.at(-1)).toBeGreaterThan(60_000);
  });

  it("gives up in the end", async () => {
    serve(Array.from({ length: 1000 }, () => "broken" as const));
    await expect(download(0, `${HOST}/model.gguf`)).rejects.toMatchObject({ code: "download_broken" });
    expect(sent.at(-1)).toBeLessThan(130_000);
  });

  it("is soon told of a host that never answered", async () => {
    serve(Array.from({ length: 1000 }, () => "broken" as const));
    await expect(download(0, "https://nowhere.example/m.gguf")).rejects.toMatchObject({ code: "download_broken" });
    expect(sent.at(-1)).toBeLessThan(5000);
  });

  it("waits for the browser to be online, which is no attempt", async () => {
    const navigator = { onLine: false };
    vi.stubGlobal("navigator", navigator);
    const listeners = new Set<() => void>();
    vi.stubGlobal("addEventListener", (_: string, listener: () => void) => listeners.add(listener));
    vi.stubGlobal("removeEventListener", (_: string, listener: () => void) => listeners.delete(listener));
    serve(["broken"]);
    setTimeout(() => {
      navigator.onLine = true;
      for (const listener of listeners) listener();
    }, 200_000);
    expect(await download(1, `${HOST}/model.gguf`)).toEqual(BODY);
    expect(sent).toEqual([0, 200_250]);
    expect(listeners.size).toBe(0);
  });
});
