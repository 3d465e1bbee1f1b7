/** The examples, each run as a person would: installed, built, opened. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Chat } from "../../support/chat.js";
import { goldenFile, HAS_SMOLLM2, IS_FAKE, smollm2File } from "../../support/env.js";
import { serveFiles } from "../../support/file-server.js";
import { oneBrowser } from "../../support/full.js";
import { Project } from "../../support/packed.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

const WAIT = { timeout: 120_000 };

/** Opens a page and waits until it has finished; returns its output. */
async function done(chat: Chat, url: string): Promise<string> {
  await chat.tab.goto(url);
  const settled = /^(Done|HearthError|Error|TypeError|SyntaxError)/;
  await expect.poll(() => chat.text("#status"), WAIT).toMatch(settled);
  expect(await chat.text("#status")).toBe("Done");
  expect(chat.tab.errors).toEqual([]);
  return await chat.text("#output");
}

test.describe("features", () => {
  // One worker builds, for all tests here.
  test.describe.configure({ mode: "default" });
  let project: Project | undefined;
  let url: string;

  test.beforeAll(async () => {
    test.skip(IS_FAKE, SKIPS.fake);
    project = new Project("features");
    project.add(goldenFile("tiny/tiny_llama.gguf"), "tiny.gguf");
    project.add(goldenFile("embeddings/embed_bert.gguf"), "embed.gguf");
    if (HAS_SMOLLM2) project.add(smollm2File(), "smollm2.gguf");
    const clip = goldenFile("captions/captions_clip");
    for (const name of readdirSync(clip)) project.add(join(clip, name), `clip/${name}`);
    url = await project.serve();
  });

  test.afterAll(async () => {
    await project?.close();
  });

  const page = (name: string, params = ""): string => `${url}${name}.html?device=cpu&model=/tiny.gguf${params}`;

  test("abort", async ({ launch }) => {
    expect(await done(await launch("firefox"), page("abort"))).toMatch(/… stopped\.\n./);
  });

  test("json-schema", async ({ launch }) => {
    const written = await done(await launch("chromium"), page("json-schema"));
    expect(written).toMatch(/^legs: [0-8], kind: (bird|fish|mammal), wild: (true|false)$/);
  });

  test("offline", async ({ launch }) => {
    const chat = await launch("chromium");
    const first = await done(chat, page("offline"));
    expect(first).toContain(`/tiny.gguf: ${String(statSync(goldenFile("tiny/tiny_llama.gguf")).size)} bytes`);
  });

  test("rag", async ({ launch }) => {
    expect(await done(await launch("chromium"), page("rag", "&embedder=/embed.gguf"))).toMatch(/^From: .+\n./);
  });

  test("tools", async ({ launch }) => {
    test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
    const written = await done(await launch("firefox"), page("tools").replace("tiny", "smollm2"));
    expect(written).toMatch(/^add\(\{"a": -?\d+, "b": -?\d+\}\)\n./);
  });

  test("zero-shot", async ({ launch }) => {
    const written = await done(await launch("chromium"), page("zero-shot").replace("tiny.gguf", "clip/"));
    const lines = written.split("\n");
    const labels = lines.map((line) => line.replace(/^\d+\.\d % /, "")).sort();
    expect(labels).toEqual(["a blue triangle", "a green circle", "a red square"]);
    const shares = lines.map((line) => Number.parseFloat(line));
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(100, 0);
  });
});

const TINY_HERE = "?device=cpu&model=/public/tiny.gguf";

test("vanilla, without a build", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const project = new Project("vanilla");
  project.add(goldenFile("tiny/tiny_llama.gguf"), "tiny.gguf");
  const { url, stop } = await serveFiles({ "/": project.folder });
  try {
    expect(await done(await launch("firefox"), url + TINY_HERE)).not.toBe("");
  } finally {
    stop();
    await project.close();
  }
});

for (const browser of oneBrowser("firefox")) {
  test(`a service worker: the second visit needs no server · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const project = new Project("service-worker");
    project.add(goldenFile("tiny/tiny_llama.gguf"), "tiny.gguf");
    const { url, stop } = await serveFiles({ "/": project.folder });
    try {
      const chat = await launch(browser, { serviceWorkers: true });
      const answer = await done(chat, url + TINY_HERE);
      stop();
      chat.tab.errors.length = 0;
      await chat.tab.reload();
      await expect.poll(() => chat.text("#status"), WAIT).toMatch(/^(Done|\w*Error)/);
      expect(await chat.text("#status")).toBe("Done");
      expect(await chat.text("#output")).toBe(answer);
    } finally {
      stop();
      await project.close();
    }
  });
}
