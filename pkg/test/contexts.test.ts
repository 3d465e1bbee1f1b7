/** Conversations that stay on the device: saved after an answer, put back before the next one, deleted on request. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import * as cache from "../src/cache/index.js";
import { pageNames, readPage } from "../src/cache/contexts.js";
import type { WasmEngine } from "../src/core/wasm-contract.js";
import type { Engine } from "../src/index.js";
import { Contexts } from "../src/worker/contexts.js";
import { ask, code, create, useFakeCore } from "./engine-support.js";
import { context } from "./fake-context.js";
import { fake } from "./fake-wasm.js";
import { Opfs } from "./opfs.js";

useFakeCore();
vi.setConfig({ testTimeout: 60_000 });

let opfs: Opfs;

beforeEach(() => {
  opfs = new Opfs();
  opfs.install();
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const LONG = "a text that is a little longer than one page";
const stored = { contextStore: {} };

/** Asks and returns the tokens that were cached. */
async function cached(engine: Engine, content: string, key?: string): Promise<number> {
  const { usage } = await engine.chat.completions.create({
    ...ask(content),
    ...(key === undefined ? {} : { prompt_cache_key: key }),
  });
  return usage.prompt_tokens_details.cached_tokens;
}

/** Waits until the engine's conversation is on the device. */
async function saved(key: string): Promise<void> {
  const pages = Math.ceil(context.held.length / 8);
  const isThere = async (): Promise<void> => {
    expect(await pageNames(key)).toHaveLength(pages);
  };
  await vi.waitFor(isThere, { timeout: 20_000 });
}

it("reads no page while an answer is made, however long it takes", async () => {
  const engine = await create(stored);
  fake.stepMs = 10;
  const request = { ...ask(`!echo ${"word ".repeat(60)}`), prompt_cache_key: "chat", stream: true } as const;
  let chunks = 0;
  for await (const { choices } of await engine.chat.completions.create(request)) {
    if (fake.liveGenerations === 0) continue;
    chunks += choices.length;
    expect(context.saved).toEqual([]);
  }
  expect(chunks).toBeGreaterThan(50);
  await saved("chat");
  expect(context.saved).toHaveLength(await pageNames("chat").then(({ length }) => length));
});

it("puts a conversation back in another engine of the model", async () => {
  const first = await create(stored);
  expect(fake.loaderOptions?.fingerprint).toBe(true);
  expect(await cached(first, LONG, "chat")).toBe(0);
  await saved("chat");
  first.dispose();
  context.held = "";
  const second = await create(stored);
  expect(await cached(second, `${LONG} and goes on`, "chat")).toBe(LONG.length);
  expect(context.restored.join("")).toBe(LONG);
  // The engine holds it by now.
  await cached(second, `${LONG} and goes on`, "chat");
  expect(context.restored.join("")).toBe(LONG);
});

it("holds a request up for one page at most", async () => {
  const reads: ((page: Uint8Array) => void)[] = [];
  const core = {
    contextPages: () => ["a", "b", "c"].map((name) => ({ name, bytes: 1 })),
    savePage: () => new Promise<Uint8Array>((resolve) => reads.push(resolve)),
  } as unknown as WasmEngine;
  const trapped = vi.fn();
  const contexts = new Contexts({ conversations: 1, withEngine: (task) => Promise.resolve(task(core)), trapped });
  await contexts.restore(core, "chat", new AbortController().signal);
  contexts.saveSoon("chat");
  await vi.waitFor(() => {
    expect(reads).toHaveLength(1);
  });
  await contexts.restore(core, "chat", new AbortController().signal);
  reads[0]?.(new Uint8Array(1));
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect([reads.length, await pageNames("chat")]).toEqual([1, []]);
  expect(trapped).not.toHaveBeenCalled();
});

it("saves only what is new", async () => {
  const engine = await create(stored);
  await cached(engine, LONG, "chat");
  await saved("chat");
  const before = context.saved.length;
  await cached(engine, `${LONG} and goes on`, "chat");
  await saved("chat");
  // The last page was not full.
  expect(context.saved.length - before).toBe(Math.ceil(`${LONG} and goes on`.length / 8) - Math.floor(LONG.length / 8));
});

it("keeps conversations apart, and none without a key or a store", async () => {
  const engine = await create(stored);
  await cached(engine, LONG, "one");
  await saved("one");
  await cached(engine, "something else entirely", "two");
  await saved("two");
  expect(await cached(engine, LONG, "one")).toBe(LONG.length - 1);
  const bytes = await cache.contextBytes();
  expect(bytes).toBeGreaterThan(0);
  await cached(engine, "and a third text, without a key");
  const plain = await create();
  expect(fake.loaderOptions?.fingerprint).toBeUndefined();
  await cached(plain, LONG, "three");
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await cache.contextBytes()).toBe(bytes);
  expect(await pageNames("three")).toEqual([]);
});

it("reads nothing again while the engine has room for the conversations that take turns", async () => {
  const engine = await create({ ...stored, conversations: 2 });
  expect(fake.loaderOptions?.conversations).toBe(2);
  for (const [key, text] of [
    ["one", LONG],
    ["two", "something else entirely"],
    ["one", LONG],
    ["three", "a third conversation"],
    ["one", LONG],
  ] as const) {
    await cached(engine, text, key);
    await saved(key);
  }
  expect(context.restored).toEqual([]);
  // The one that was used least recently has gone.
  await cached(engine, "something else entirely", "two");
  expect(context.restored.join("")).toBe("something else entirely");
  // A request without a key ends the save that is due, which is not to meet the next test's conversation.
  await cached(engine, "and a text without a key");
});

it("removes a damaged page, and computes the rest", async () => {
  const engine = await create(stored);
  await cached(engine, LONG, "chat");
  await saved("chat");
  const [, second = ""] = await pageNames("chat");
  const file = opfs.files().find(({ bytes }) => new TextDecoder().decode(bytes).startsWith("1:"));
  file?.bytes.fill(120);
  context.held = "";
  const other = await create(stored);
  expect(await cached(other, LONG, "chat")).toBe(8);
  await saved("chat");
  expect(new TextDecoder().decode(await readPage("chat", second))).toBe(`1:${LONG.slice(8, 16)}`);
});

it("lets the oldest conversation go where there are too many bytes", async () => {
  const engine = await create({ contextStore: { maxBytes: 140 } });
  for (const key of ["one", "two", "three"]) {
    await cached(engine, `${LONG} of ${key}`, key);
    await saved(key);
  }
  expect(await pageNames("one")).toEqual([]);
  expect(await pageNames("two")).not.toEqual([]);
  expect(await cache.contextBytes()).toBeLessThanOrEqual(140);
});

it("deletes one conversation or all, also while it is being saved", async () => {
  const engine = await create(stored);
  await cached(engine, LONG, "one");
  await saved("one");
  await cache.deleteContext("one");
  await cache.deleteContext("unknown");
  expect(await cache.contextBytes()).toBe(0);
  await cached(engine, LONG, "two");
  await cache.deleteContext("two");
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await cache.contextBytes()).toBe(0);
  await cached(engine, LONG, "three");
  await saved("three");
  await cache.clearContexts();
  expect(await cache.contextBytes()).toBe(0);
});

it("answers as before where the disk is full or there is none", async () => {
  opfs.room = 10;
  opfs.shortWrites = true;
  const engine = await create(stored);
  await cached(engine, LONG, "chat");
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await cache.contextBytes()).toBe(0);
  vi.stubGlobal("navigator", {});
  expect(await cached(engine, "another", "other")).toBe(1);
  expect(await cached(engine, LONG, "chat")).toBe(1);
});

it("needs a key that is a text", async () => {
  const engine = await create(stored);
  expect(await code(cached(engine, "hello", 7 as never))).toBe("invalid_request");
});
