/** Tabs that share a model: who has it, what the others are told, and whose turn it is. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { nameOf, VERSION } from "../src/shared/key.js";
import { SharedEngine } from "../src/shared/index.js";
import { openWorker } from "../src/engine.js";
import {
  HearthError,
  type ChatCompletionChunk,
  type EngineOptions,
  type LoadProgress,
  type Notice,
} from "../src/index.js";
import { ask, code, FILE, text, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";
import { Browser, idsOf } from "./shared-browser.js";
import { complete, loading, settle, until } from "./shared-support.js";

let browser = new Browser();

afterEach(() => {
  for (const tab of browser.tabs) tab.kill();
  browser = new Browser();
});

describe("tabs", () => {
  it("load a model once, and all of them answer with it", async () => {
    const tabs = [browser.tab(), browser.tab(), browser.tab()];
    const engines = await Promise.all(tabs.map((tab) => tab.create()));
    expect(browser.models).toBe(1);
    expect(tabs.map(({ loads }) => loads).sort()).toEqual([0, 0, 1]);
    expect(engines.map(({ role }) => role).sort()).toEqual(["follower", "follower", "leader"]);
    expect(tabs.map(({ roles }) => roles.at(-1))).toEqual(engines.map(({ role }) => role));
    for (const [index, engine] of engines.entries()) {
      expect(engine.model.name).toBe("tiny");
      expect([...(await engine.tokenize("ab"))]).toEqual([97, 98]);
      expect(await complete(engine, { seed: index, prompt: "a", count: 20 })).toEqual(idsOf(index, "a", 20));
      const whole = await engine.completions.create({
        prompt: "b",
        seed: index,
        max_tokens: 5,
        return_token_ids: true,
      });
      expect(whole.choices[0]?.token_ids).toEqual(idsOf(index, "b", 5));
      expect(whole.usage?.completion_tokens).toBe(5);
    }
  });

  it("are told of the load's progress and notices, each once", async () => {
    const leader = browser.tab();
    const { first, loaded } = await loading(leader);
    const progress: LoadProgress[] = [];
    const notices: Notice[] = [];
    const follower = browser.tab();
    const second = follower.create({
      onProgress: (one) => progress.push(one),
      onNotice: (one) => notices.push(one),
    });
    await until(() => follower.roles.length > 0);
    expect(follower.roles).toEqual(["follower"]);
    loaded();
    await Promise.all([first, second]);
    expect(notices.map((notice) => notice.code)).toEqual(["one_thread"]);
    // The progress before the follower came, and what came after.
    expect(progress.map(({ phase }) => phase)).toEqual(["download", "ready"]);
    await (await first).loseDevice();
    await vi.waitFor(() => {
      expect(notices.map((notice) => notice.code)).toEqual(["one_thread", "device_recovered"]);
    });
    expect(follower.loads).toBe(0);
  });

  it("of other options, or of other files, share nothing", async () => {
    const [a, b] = [browser.tab(), browser.tab()];
    await a.create({ contextSize: 512 });
    await b.create({ contextSize: 1024 });
    expect([a.loads, b.loads]).toEqual([1, 1]);
    expect(browser.models).toBe(2);
  });

  it("take turns in the order of their requests", async () => {
    const engines = [];
    for (let i = 0; i < 10; i++) engines.push(await browser.tab().create());
    const ended: number[] = [];
    const answers: Promise<unknown>[] = [];
    for (let round = 0; round < 10; round++) {
      for (const [index, engine] of engines.entries()) {
        const number = round * 10 + index;
        const params = { seed: number, prompt: "x", count: 3 };
        answers.push(
          complete(engine, params).then((ids) => {
            expect(ids).toEqual(idsOf(number, "x", 3));
            ended.push(number);
          }),
        );
      }
    }
    await Promise.all(answers);
    // Each tab's own requests keep their order, and no tab waits for another's whole list.
    for (let index = 0; index < 10; index++) {
      const own = ended.filter((number) => number % 10 === index);
      expect(own).toEqual([...own].sort((x, y) => x - y));
      expect(ended.indexOf(index)).toBeLessThan(20);
    }
    expect(ended).toHaveLength(100);
  });
});

describe("a request", () => {
  it("of a follower is aborted at once, and leaves nothing behind, a hundred times", async () => {
    await browser.tab().create();
    const engine = await browser.tab().create();
    for (let i = 0; i < 100; i++) {
      const controller = new AbortController();
      const { signal } = controller;
      const answer = complete(engine, { seed: i, prompt: "a", count: 1e6 }, { signal, after: i % 5, stop: controller });
      expect(await code(answer)).toBe("cancelled");
    }
    expect(await complete(engine, { seed: 1, prompt: "a", count: 9 })).toEqual(idsOf(1, "a", 9));
  });

  it("that waits for its turn is aborted without it", async () => {
    const first = await browser.tab().create();
    const second = await browser.tab().create();
    const running = new AbortController();
    const long = complete(first, { seed: 1, prompt: "a", count: 1e6 }, { signal: running.signal });
    await settle();
    const waiting = new AbortController();
    const short = complete(second, { seed: 2, prompt: "a", count: 3 }, { signal: waiting.signal });
    await settle();
    waiting.abort();
    expect(await code(short)).toBe("cancelled");
    const next = complete(second, { seed: 3, prompt: "a", count: 3 });
    running.abort();
    expect(await code(long)).toBe("cancelled");
    expect(await next).toEqual(idsOf(3, "a", 3));
  });

  it("for embeddings that waits for its turn is aborted without it", async () => {
    const first = await browser.tab().create();
    const second = await browser.tab().create();
    const running = new AbortController();
    const long = code(complete(first, { seed: 1, prompt: "a", count: 1e6 }, { signal: running.signal }));
    await settle();
    const waiting = new AbortController();
    const embedded = code(second.embeddings.create({ input: "a" }, { signal: waiting.signal }));
    await settle();
    waiting.abort();
    expect(await embedded).toBe("cancelled");
    running.abort();
    expect(await long).toBe("cancelled");
  });

  it("fails in a follower with the leader's error", async () => {
    await browser.tab().create();
    const engine = await browser.tab().create();
    const error: unknown = await complete(engine, { seed: 1, prompt: "!long", count: 3 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(HearthError);
    expect(error).toMatchObject({ code: "context_overflow", message: "too long", hint: "Shorten it." });
    expect(await complete(engine, { seed: 1, prompt: "a", count: 3 })).toEqual(idsOf(1, "a", 3));
  });

  it("of a tab that is gone is cancelled", async () => {
    const leader = await browser.tab().create();
    const tab = browser.tab();
    const engine = await tab.create();
    void complete(engine, { seed: 1, prompt: "a", count: 1e6 }).catch(() => undefined);
    await settle();
    tab.kill();
    expect(await complete(leader, { seed: 2, prompt: "a", count: 3 })).toEqual(idsOf(2, "a", 3));
  });
});

describe("a load", () => {
  it("that fails fails in the tabs that wait for it, with its code", async () => {
    const leader = browser.tab();
    leader.loadError = new HearthError("bad_file", "no model", { hint: "Another one." });
    let fail = (): void => undefined;
    leader.loading = new Promise((resolve) => {
      fail = resolve;
    });
    const first = leader.create();
    await until(() => leader.loads === 1);
    const others = [browser.tab(), browser.tab()];
    const codes = Promise.all([first, ...others.map((tab) => tab.create())].map(code));
    await until(() => others.every(({ roles }) => roles.length > 0));
    for (const tab of others) tab.loadError = leader.loadError;
    fail();
    expect(await codes).toEqual(["bad_file", "bad_file", "bad_file"]);
    await settle();
    expect(browser.locks.held).toBe(0);
    expect(browser.channels.size).toBe(0);
  });

  it("that is aborted goes to the next tab", async () => {
    const leader = browser.tab();
    leader.loading = new Promise(() => undefined);
    const controller = new AbortController();
    const first = leader.create({ signal: controller.signal });
    await until(() => leader.loads === 1);
    const follower = browser.tab();
    const second = follower.create();
    await until(() => follower.roles.length > 0);
    controller.abort();
    expect(await code(first)).toBe("cancelled");
    expect((await second).role).toBe("leader");
    expect(follower.roles).toEqual(["follower", "leader"]);
  });

  it("that is aborted in a follower goes on", async () => {
    const leader = browser.tab();
    const { first, loaded } = await loading(leader);
    const controller = new AbortController();
    const follower = browser.tab();
    const second = follower.create({ signal: controller.signal });
    await until(() => follower.roles.length > 0);
    controller.abort();
    expect(await code(second)).toBe("cancelled");
    loaded();
    expect((await first).role).toBe("leader");
  });
});

describe("a model", () => {
  const name = (options: Partial<EngineOptions>): Promise<string | undefined> =>
    nameOf({ model: "owner/tiny", ...options });

  it("has one name in all tabs, whatever the order of the options", async () => {
    const file = new File(["x"], "a.gguf", { lastModified: 1 });
    const alike: [Partial<EngineOptions>, Partial<EngineOptions>][] = [
      [{}, { device: "webgpu", onProgress: () => undefined }],
      [{}, { model: "https://huggingface.co/owner/tiny" }],
      [{ overrides: { a: 1, b: 2 } as never }, { overrides: { b: 2, a: 1 } as never }],
      [{ model: file }, { model: new File(["y"], "a.gguf", { lastModified: 1 }) }],
    ];
    for (const [one, other] of alike) {
      expect(await name(one)).toMatch(/^hearth-shared:[0-9a-f]{32}$/);
      expect(await name(one)).toBe(await name(other));
    }
    const apart: Partial<EngineOptions>[] = [
      {},
      { device: "cpu" },
      { kvType: "q8" },
      { quantize: "q8" },
      { contextSize: 1 },
      { model: "owner/other" },
      { model: "https://example.com/a.gguf" },
      { model: file },
      { model: [file, new File(["x"], "b.gguf", { lastModified: 1 })] },
    ];
    expect(new Set(await Promise.all(apart.map(name))).size).toBe(apart.length);
    expect(await name({ model: new Blob(["x"]) })).toBeUndefined();
    expect(await name({ model: new Blob(["x"]).stream() })).toBeUndefined();
  });

  it("has the package's version in its name", () => {
    const json = readFileSync(join(import.meta.dirname, "../package.json"), "utf8");
    expect((JSON.parse(json) as { version: string }).version).toBe(VERSION);
  });
});

describe("a page alone", () => {
  useFakeCore();

  it("has an engine of its own, without locks or for bytes without a name", async () => {
    const onRole = vi.fn();
    const engine = await SharedEngine.create({ model: new Blob([FILE]), device: "cpu", onRole });
    expect(engine.role).toBe("leader");
    expect(onRole.mock.calls).toEqual([["leader"]]);
    expect((await engine.chat.completions.create(ask("!echo a b"))).choices[0]?.message.content).toBe("a b");
    expect(await engine.count("abc")).toBeGreaterThan(0);
    expect(await engine.diagnostics()).toMatchObject({ version: engine.version });
    engine.dispose();
    expect((await engine.closed).code).toBe("disposed");
  });

  it("and two pages with the engine's own worker chat alike, also when the first one ends", async () => {
    const model = new File([FILE], "a.gguf", { lastModified: 1 });
    const create = (): Promise<SharedEngine> =>
      SharedEngine.createAt({ ...browser.tab().place, open: openWorker }, { model, device: "cpu" });
    const [first, second] = [await create(), await create()];
    expect([first.role, second.role]).toEqual(["leader", "follower"]);
    expect(second.model).toEqual(first.model);
    fake.stepMs = 2;
    const params = { ...ask("!echo a b c d e f"), stream: true, return_token_ids: true } as const;
    const chunks: ChatCompletionChunk[] = [];
    for await (const chunk of await second.chat.completions.create(params)) {
      chunks.push(chunk);
      if (chunk.choices[0]?.token_ids?.includes(3)) first.dispose();
    }
    expect(text(chunks)).toBe("a b c d e f");
    expect(chunks.flatMap((chunk) => chunk.choices[0]?.token_ids ?? [])).toEqual([1, 2, 3, 4, 5, 6]);
    expect(fake.request?.resume_ids?.slice(0, 3)).toEqual([1, 2, 3]);
    expect(second.role).toBe("leader");
    second.dispose();
  });
});
