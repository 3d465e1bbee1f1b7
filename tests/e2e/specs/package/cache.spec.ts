/** The cache on the device: after a visit, after kills, between tabs, and without room. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Notice } from "hearth-llm";
import type { Chat } from "../../support/chat.js";
import { CountingServer } from "../../support/counting-server.js";
import { BASE_URL, HAS_SMOLLM2, IS_FAKE, TINY, goldenFile, smollm2File } from "../../support/env.js";
import { inFull } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test, type BrowserName } from "../../support/test.js";

/** A page of the same origin that may connect to other servers, like the site of someone who uses the package. */
const PLAIN_PAGE = `${BASE_URL}tests/e2e/bench/page.html`;
const URLS = { index: `${BASE_URL}pkg/dist/index.js`, cache: `${BASE_URL}pkg/dist/cache/index.js` };
const BROWSERS: BrowserName[] = ["chromium", "firefox"];

interface Loaded {
  answer: string;
  notices: Notice["code"][];
}

/** Loads the model and asks for four tokens; with `abortAt`, cancels once that many bytes have arrived. */
async function load(chat: Chat, model: string, abortAt = Infinity): Promise<Loaded | "cancelled"> {
  return await chat.tab.evaluate(
    async ({ urls, model, abortAt }) => {
      const { Engine } = (await import(urls.index)) as typeof import("hearth-llm");
      const controller = new AbortController();
      const notices: Notice["code"][] = [];
      try {
        const engine = await Engine.create({
          model,
          device: "cpu",
          contextSize: 256,
          threads: 1,
          signal: controller.signal,
          onProgress: ({ phase, loaded }) => {
            if (phase === "download" && loaded >= abortAt) controller.abort();
          },
          onNotice: ({ code }) => notices.push(code),
        });
        const completion = await engine.chat.completions.create({
          messages: [{ role: "user", content: "Hi" }],
          max_tokens: 4,
          temperature: 0,
        });
        engine.dispose();
        return { answer: completion.choices[0]?.message.content ?? "", notices };
      } catch (error) {
        if ((error as { code?: string }).code === "cancelled") return "cancelled" as const;
        throw error;
      }
    },
    { urls: URLS, model, abortAt: Number.isFinite(abortAt) ? abortAt : Number.MAX_SAFE_INTEGER },
  );
}

const list = (chat: Chat): Promise<{ url: string; bytes: number; complete: boolean }[]> =>
  chat.tab.evaluate(async (url) => {
    const cache = (await import(url)) as typeof import("hearth-llm/cache");
    return (await cache.list()).map(({ url, bytes, complete }) => ({ url, bytes, complete }));
  }, URLS.cache);

/** Returns the SHA-256 of the only cached file. */
const keptHash = (chat: Chat): Promise<string> =>
  chat.tab.evaluate(async () => {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("hearth");
    for await (const [, folder] of root.entries()) {
      const file = await (await (folder as FileSystemDirectoryHandle).getFileHandle("data")).getFile();
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
      return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    }
    return "";
  }, null);

for (const browser of BROWSERS) {
  test(`a model that was loaded once needs no server any more, in ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const server = new CountingServer(goldenFile("tiny/tiny_llama.gguf"));
    const model = await server.listen();
    const chat = await launch(browser);
    await chat.tab.goto(PLAIN_PAGE);
    const first = await load(chat, model);
    expect(await list(chat)).toEqual([{ url: model, bytes: server.size, complete: true }]);
    expect(server.sent).toBe(server.size);
    // A newer version on the server is reported, and the cached one runs.
    server.etag = '"v2"';
    expect(await load(chat, model)).toEqual({ ...(first as Loaded), notices: ["model_changed"] });
    server.close();
    await chat.tab.reload();
    expect(await load(chat, model)).toEqual(first);
    const removed = await chat.tab.evaluate(
      async ({ url, model }) => {
        const cache = (await import(url)) as typeof import("hearth-llm/cache");
        return [await cache.delete(model), await cache.size()];
      },
      { url: URLS.cache, model },
    );
    expect(removed).toEqual([true, 0]);
  });
}

for (const browser of inFull(...BROWSERS)) {
  test(`kills in a download lose little and spoil nothing, in ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
    const server = new CountingServer(smollm2File());
    const model = await server.listen();
    const chat = await launch(browser);
    await chat.tab.goto(PLAIN_PAGE);
    // A load is cancelled by ending the worker: no code in it gets to clean up.
    let kills = 0;
    for (const share of [0.0001, 0.11, 0.3, 0.31, 0.5, 0.77, 0.9]) {
      expect(await load(chat, model, share * server.size)).toBe("cancelled");
      kills += 1;
    }
    const loaded = await load(chat, model);
    expect((loaded as Loaded).notices).toEqual([]);
    expect(await keptHash(chat)).toBe(createHash("sha256").update(readFileSync(smollm2File())).digest("hex"));
    // Each of the four connections loses what it had not recorded and what was in flight.
    const lost = server.sent - server.size;
    console.log(`${browser}: ${String(kills)} kills, ${String(lost)} bytes sent twice`);
    expect(lost).toBeLessThanOrEqual(kills * 4 * ((4 << 20) + (3 << 20)));
    server.close();
  });
}

test("two engines that want one file fetch it once", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const server = new CountingServer(goldenFile("tiny/tiny_llama.gguf"));
  const model = await server.listen();
  const chat = await launch("firefox");
  await chat.tab.goto(PLAIN_PAGE);
  const [first, second] = await Promise.all([load(chat, model), load(chat, model)]);
  expect(second).toEqual(first);
  expect(server.sent).toBe(server.size);
  server.close();
});

test("where there is no room the model runs without being kept", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const workerPrelude = "navigator.storage.estimate = async () => ({ quota: 1000, usage: 0 });";
  const chat = await launch("chromium", { workerPrelude });
  await chat.tab.goto(PLAIN_PAGE);
  const loaded = await load(chat, new URL(TINY, BASE_URL).href);
  expect((loaded as Loaded).notices).toEqual(["not_cached"]);
  expect(await list(chat)).toEqual([]);
});

test("a file's SHA-256 is checked while it loads", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const chat = await launch("firefox");
  await chat.open();
  const sum = createHash("sha256")
    .update(readFileSync(goldenFile("tiny/tiny_llama.gguf")))
    .digest("hex");
  const codes = await chat.tab.evaluate(
    async (arg) => {
      const { Engine } = (await import(arg.url)) as { Engine: typeof import("hearth-llm").Engine };
      const load = async (sha256: string, cache: "default" | "no-store"): Promise<string> => {
        try {
          const engine = await Engine.create({ model: arg.model, device: "cpu", cache, download: { sha256 } });
          engine.dispose();
          return "loaded";
        } catch (error) {
          return (error as { code: string }).code;
        }
      };
      const wrong = "0".repeat(64);
      return [
        await load("abc", "default"),
        await load(wrong, "no-store"),
        await load(wrong, "default"),
        await load(arg.sum, "no-store"),
        await load(arg.sum, "default"),
      ];
    },
    { url: "/pkg/dist/index.js", model: TINY, sum },
  );
  expect(codes).toEqual(["invalid_request", "download_checksum", "download_checksum", "loaded", "loaded"]);
});
