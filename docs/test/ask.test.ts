/** Questions to the site: its pages become documents, and what is found leads to the page and its section. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useFakeCore } from "../../pkg/test/engine-support.js";
import { Docs, pagesOf } from "../.vitepress/theme/ask.js";

vi.mock("../../pkg/src/engine.js", async (importOriginal) => {
  const { onFakeCore } = await import("./engine.js");
  return onFakeCore(await importOriginal());
});

useFakeCore();

const TEXT = `---
url: /guide/chat.md
description: Conversations.
---

# Chat

A conversation is a list of messages.

---
url: 'https://docs.example/guide/streaming.md'
---

# Streaming

Chunks come one by one.

## Stopping an answer

A signal ends it, or leaving the loop.

---
url: /benchmarks/index.md
---

# Benchmarks

Numbers of launches.
`;

let docs: Docs;
beforeEach(async () => {
  const fetch = vi.fn((address: string) =>
    Promise.resolve(new Response(TEXT, { status: address === "/a" ? 200 : 404 })),
  );
  vi.stubGlobal("fetch", fetch);
  docs = await Docs.open("/a");
  expect(fetch).toHaveBeenCalledTimes(1);
});

afterEach(async () => {
  await docs.close();
});

it("pages are told apart by their addresses", () => {
  expect(pagesOf(TEXT).map(({ address, title }) => [address, title])).toEqual([
    ["/guide/chat", "Chat"],
    ["/guide/streaming", "Streaming"],
    ["/benchmarks/", "Benchmarks"],
  ]);
  expect(pagesOf("no page")).toEqual([]);
});

it("without a model, the passages are shown with their places", async () => {
  const [first] = await docs.find("how do I use a signal for stopping?");
  expect(first).toMatchObject({
    number: 1,
    address: "/guide/streaming#stopping-an-answer",
    titles: ["Streaming", "Stopping an answer"],
  });
  expect(first?.text).toContain("A signal ends it");
  expect(await docs.find("xylophone")).toEqual([]);
  const { done } = await docs.answer("how?", new AbortController().signal).next();
  expect([docs.hasModel, done]).toEqual([false, true]);
});

it("with a model, an answer streams and names its sources", async () => {
  const phases: string[] = [];
  await docs.load("a/b", ({ phase }) => phases.push(phase), new AbortController().signal);
  expect([docs.hasModel, phases.at(-1)]).toEqual([true, "ready"]);
  const { signal } = new AbortController();
  let last = { text: "", cited: [] as { number: number; address: string }[] };
  let count = 0;
  for await (const state of docs.answer("How many launches are there?", signal)) {
    last = state;
    count++;
  }
  expect(count).toBeGreaterThan(2);
  expect(last.text).not.toBe("");
  expect(last.cited.map(({ number }) => number)).toEqual(last.cited.map((_, i) => i + 1));
  expect(last.cited.map(({ address }) => address)).toContain("/benchmarks/");
});

it("says that the text cannot be fetched", async () => {
  await expect(Docs.open("/b")).rejects.toThrow("The pages cannot be fetched: /b answers 404.");
});
