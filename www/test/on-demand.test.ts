/** Files that are kept once they were asked for: where they lie, and what the service worker does with them. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { assetFileNames, chunkFileNames, entryFileNames, ON_DEMAND } from "../build/on-demand.js";
import { CMAPS } from "../src/lib/cmaps.js";
import { answerOnDemand, dropOld } from "../src/lib/on-demand.js";

const URL_OF_PDF = "https://page.test/assets/on-demand/pdf-1.js";
let kept: Map<string, Response>;
let online = true;
const fetched = vi.fn((request: Request) => {
  if (!online) return Promise.reject(new TypeError("offline"));
  return Promise.resolve(new Response(request.url, { status: request.url.endsWith("missing.js") ? 404 : 200 }));
});

beforeEach(() => {
  kept = new Map();
  online = true;
  fetched.mockClear();
  vi.stubGlobal("fetch", fetched);
  vi.stubGlobal("caches", {
    open: () =>
      Promise.resolve({
        match: (url: string) => Promise.resolve(kept.get(url)?.clone()),
        put: (url: string, response: Response) => Promise.resolve(void kept.set(url, response)),
        keys: () => Promise.resolve([...kept.keys()].map((url) => ({ url }))),
        delete: (url: string) => Promise.resolve(kept.delete(url)),
      }),
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a part that is loaded on demand", () => {
  it("is fetched once, and then needs no network", async () => {
    expect(await (await answerOnDemand(new Request(URL_OF_PDF))).text()).toBe(URL_OF_PDF);
    online = false;
    expect(await (await answerOnDemand(new Request(URL_OF_PDF))).text()).toBe(URL_OF_PDF);
    expect(fetched).toHaveBeenCalledTimes(1);
  });

  it("is not kept if the server does not have it", async () => {
    const missing = "https://page.test/assets/on-demand/missing.js";
    expect((await answerOnDemand(new Request(missing))).status).toBe(404);
    expect(kept.size).toBe(0);
  });

  it("is dropped with the build that it belongs to", async () => {
    await answerOnDemand(new Request(URL_OF_PDF));
    await answerOnDemand(new Request(`${URL_OF_PDF}?old`));
    await dropOld(new Set([URL_OF_PDF]));
    expect([...kept.keys()]).toEqual([URL_OF_PDF]);
  });
});

describe("the build", () => {
  it("puts the readers of PDF and Word into their folder, and nothing else", () => {
    const named = (id: string): string => chunkFileNames({ moduleIds: ["/x/src/a.ts", id] });
    expect(named("/x/node_modules/pdfjs-dist/legacy/build/pdf.mjs")).toBe(`${ON_DEMAND}[name]-[hash].js`);
    expect(named("/x/node_modules/mammoth/lib/index.js")).toBe(`${ON_DEMAND}[name]-[hash].js`);
    expect(named("/x/node_modules/katex/dist/katex.mjs")).toBe("assets/[name]-[hash].js");
  });

  it("puts the worker of speech, its module and that of pictures there, and no other worker", () => {
    expect(entryFileNames({ name: "audio-worker" })).toBe(`${ON_DEMAND}[name]-[hash].js`);
    expect(entryFileNames({ name: "documents-worker" })).toBe("assets/[name]-[hash].js");
    expect(assetFileNames({ names: ["audio_bg.wasm"] })).toBe(`${ON_DEMAND}[name]-[hash][extname]`);
    expect(assetFileNames({ names: ["pictures_bg.wasm"] })).toBe(`${ON_DEMAND}[name]-[hash][extname]`);
    expect(assetFileNames({ names: ["hearth_bg.wasm"] })).toBe("assets/[name]-[hash][extname]");
  });

  it("has the tables of the version of pdf.js that reads them", () => {
    const path = createRequire(import.meta.url).resolve("pdfjs-dist/package.json");
    const { version } = JSON.parse(readFileSync(path, "utf8")) as { version: string };
    expect(CMAPS).toBe(`${ON_DEMAND}cmaps-${version}/`);
  });
});
