/** Tests of repositories on the Hub that change between visits, and of their kept files. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as cache from "../src/cache/index.js";
import { create, useFakeCore } from "./engine-support.js";
import { Opfs } from "./opfs.js";

useFakeCore();

const HUB = "https://hub.test";
let commit: string;
let files: Record<string, string>;
/** State of the network: working, absent, or with errors from the hub. */
let network: "on" | "off" | 500 | 404;
/** Files that were fetched, as `commit/path`. */
let fetched: string[];
let lists: number;

/** Returns a text's sum as computed by the core's double, which uses the length. */
const sumOf = (text: string): string => text.length.toString(16).padStart(64, "0");
const model = (bytes: number): string => "GGUF".padEnd(bytes, "x");
const commitOf = (digit: string): string => digit.repeat(40);

function publish(digit: string, more: Record<string, string>): void {
  commit = commitOf(digit);
  files = { ...files, ...more };
}

function answer(url: string, method: string): Response {
  if (url.includes("/api/")) {
    lists += 1;
    if (typeof network === "number") return new Response("", { status: network });
    const siblings = Object.entries(files).map(([rfilename, text]) => ({
      rfilename,
      size: text.length,
      blobId: "b",
      lfs: rfilename.endsWith(".gguf") ? { sha256: sumOf(text), size: text.length } : null,
    }));
    return new Response(JSON.stringify({ sha: commit, siblings }));
  }
  const [, revision = "", path = ""] = /\/resolve\/([^/]+)\/(.*)$/.exec(url) ?? [];
  const text = revision === commit ? files[path] : undefined;
  if (text === undefined || text === "") return new Response("", { status: 404 });
  if (method === "GET") fetched.push(`${revision[0] ?? ""}/${path}`);
  return new Response(text, { headers: { "Content-Length": String(text.length), ETag: `"${sumOf(text)}"` } });
}

beforeEach(() => {
  new Opfs().install();
  [files, fetched, lists, network] = [{}, [], 0, "on"];
  vi.stubGlobal("fetch", (url: string, { method = "GET" }: RequestInit) =>
    network === "off" ? Promise.reject(new TypeError("Failed to fetch")) : Promise.resolve(answer(url, method)),
  );
  publish("a", { "m-Q4_K_M.gguf": model(100), "m-Q8_0.gguf": model(200), "README.md": "one" });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("download.cacheKey", () => {
  const KEY = "https://app.test/models/tiny";
  const at = (ticket: string): Promise<unknown> =>
    create({ model: `https://cdn.test/${ticket}/m.gguf`, download: { cacheKey: KEY } });

  beforeEach(() => {
    vi.stubGlobal("fetch", (url: string, { method = "GET" }: RequestInit) => {
      if (method === "GET") fetched.push(url);
      const text = files["m-Q4_K_M.gguf"] ?? "";
      return Promise.resolve(new Response(text, { headers: { "Content-Length": String(text.length) } }));
    });
  });

  it("keeps a model whose address is another each time", async () => {
    await at("ticket-1");
    await at("ticket-2");
    expect(fetched).toEqual(["https://cdn.test/ticket-1/m.gguf"]);
    expect((await cache.list()).map(({ url }) => url)).toEqual([KEY]);
    expect(await cache.delete(KEY)).toBe(true);
  });

  it("keeps each part of a model under its own name", async () => {
    const model = "https://cdn.test/t/m-00001-of-00002.gguf?t=1";
    await create({ model, download: { cacheKey: KEY } });
    expect((await cache.list()).map(({ url }) => url).sort()).toEqual([KEY, `${KEY}/m-00002-of-00002.gguf`]);
  });

  it("is refused where it would be dropped", async () => {
    const refused = { code: "invalid_request", message: expect.stringContaining("download.cacheKey") as string };
    await expect(create({ model: "o/n", download: { cacheKey: KEY } })).rejects.toMatchObject(refused);
    await expect(create({ download: { cacheKey: KEY } })).rejects.toMatchObject(refused);
    const model = "https://cdn.test/m.gguf";
    await expect(create({ model, download: { cacheKey: "http://[" } })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });
});

async function load(id: string | URL = "o/n"): Promise<number> {
  const engine = await create({ model: id, download: { hub: HUB, retries: 1 } });
  engine.dispose();
  return engine.model.weight_bytes;
}

describe("a repository that changes", () => {
  it("is listed anew: files that were replaced or added can be loaded", async () => {
    expect(await load("o/n:Q4_K_M")).toBe(100);
    publish("b", { "m-Q8_0.gguf": model(201), "m-Q6_K.gguf": model(150) });
    expect(await load("o/n:Q8_0")).toBe(201);
    expect(await load("o/n:Q6_K")).toBe(150);
    // The listing does not count as a file of a model.
    expect((await cache.list()).map(({ url }) => url).sort()).toEqual(
      ["m-Q4_K_M", "m-Q6_K", "m-Q8_0"].map((name) => `${HUB}/o/n/resolve/main/${name}.gguf`),
    );
  });

  it.each([
    ["https://huggingface.co/o/n", 100],
    [" hf.co/o/n:Q8_0 ", 200],
    ["https://huggingface.co/o/n/blob/main/m-Q8_0.gguf", 200],
    [new URL("https://huggingface.co/o/n/tree/main?show_file_info=m-Q8_0.gguf"), 200],
  ])("is loaded from what a browser shows of it: %s", async (page, bytes) => {
    expect(await load(page)).toBe(bytes);
  });

  it("is not fetched again for another file's sake", async () => {
    await load();
    publish("b", { "README.md": "two" });
    expect(await load()).toBe(100);
    expect(fetched).toEqual(["a/m-Q4_K_M.gguf"]);
    expect(lists).toBe(2);
  });

  it("is fetched as a whole of one commit", async () => {
    const [one, two] = ["m-Q4_0-00001-of-00002.gguf", "m-Q4_0-00002-of-00002.gguf"];
    publish("a", { [one]: model(50), [two]: "" });
    // The visit ends after the first part.
    await expect(load("o/n:Q4_0")).rejects.toMatchObject({ code: "download_http" });
    publish("b", { [one]: model(51), [two]: model(61) });
    fetched = [];
    expect(await load("o/n:Q4_0")).toBe(112);
    expect([...new Set(fetched)]).toEqual([`b/${one}`, `b/${two}`]);
  });

  it.each(["off", 500, 404] as const)("starts as it was kept while the hub is not to be asked: %s", async (state) => {
    await load("o/n:Q4_K_M");
    publish("b", { "m-Q8_0.gguf": model(201) });
    await load("o/n:Q8_0");
    publish("c", { "m-Q8_0.gguf": model(202), "m-Q4_K_M.gguf": model(102) });
    network = state;
    expect(await load("o/n:Q4_K_M")).toBe(100);
    expect(await load("o/n:Q8_0")).toBe(201);
    expect(fetched).toHaveLength(2);
  });

  it("is not asked for a commit that is kept", async () => {
    const id = `o/n@${commitOf("a")}`;
    await load(id);
    await load(id);
    expect(lists).toBe(1);
  });
});
