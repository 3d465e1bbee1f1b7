/** Tests of which work the page's clock watches, and of replacing an instance after a trap. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { WorkerRpc } from "../src/backend/rpc.js";
import { HearthError } from "../src/core/errors.js";
import { Host } from "../src/worker/host.js";
import type { Clocked, FromWorker } from "../src/core/protocol.js";
import { ask, create, FILE, useFakeCore } from "./engine-support.js";
import * as grammarWasm from "./fake-grammar.js";
import * as picturesWasm from "./fake-pictures.js";
import * as wasm from "./fake-wasm.js";

const { fake } = wasm;

useFakeCore();

describe("the worker tells", () => {
  const posted: FromWorker[] = [];
  const clocks = (): unknown[] => posted.flatMap((message) => (message.type === "clock" ? [message.on] : []));

  async function generate(params: object): Promise<FromWorker | undefined> {
    posted.length = 0;
    const post = (message: FromWorker): number => posted.push(message);
    const startPool = (): never => {
      throw new Error("no threads");
    };
    const url = "about:blank";
    const modules = { grammarWasm, grammarUrl: url, picturesWasm, picturesUrl: url };
    const host = new Host({ wasm, wasmUrl: url, ...modules, post, startPool });
    const source = { kind: "blob" as const, blob: new Blob([FILE]) };
    const load = { source, device: "cpu" as const, deviceOptions: {}, download: {}, cache: "no-store" as const };
    await host.handle({ type: "call", id: 1, call: "load", params: load });
    await host.handle({ type: "call", id: 2, call: "generate", params });
    await vi.waitFor(() => {
      expect(posted.at(-1)?.type).toMatch(/result|error|fatal/);
    });
    return posted.at(-1);
  }

  it("when the template ends its work, before text is cut into tokens", async () => {
    let seen: unknown[] = [];
    fake.encoding = () => (seen = clocks());
    expect(await generate({ ...ask("a"), max_tokens: 1 })).toMatchObject({ type: "result" });
    expect(seen).toEqual(["template", null]);
    expect(clocks()).toEqual(seen);
    await generate({ prompt: "a", max_tokens: 1 });
    expect(clocks()).toEqual([]);
  });

  it("a trap behind it is not the template's", async () => {
    fake.encoding = () => {
      throw new WebAssembly.RuntimeError("unreachable");
    };
    expect(await generate(ask("a"))).toMatchObject({ type: "fatal", error: { code: "internal_error" } });
  });

  it("when a format is being read", async () => {
    await generate({ ...ask("a"), max_tokens: 1, format: { choice: ["a"] } });
    expect(clocks()).toEqual(["format", null, "template", null]);
  });

  it.each(["worker_died", "out_of_memory"] as const)("the end where the threads' pool throws %s", async (code) => {
    fake.encoding = () => {
      throw new HearthError(code, "gone");
    };
    expect(await generate({ prompt: "a" })).toMatchObject({ type: "fatal", error: { code } });
  });
});

describe("the page ends a worker", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each<[Clocked, number, string]>([
    ["template", 10_000, "template_error"],
    ["format", 10_000, "grammar_error"],
    ["threads", 5000, "worker_died"],
  ])("%s: after %d ms", async (on, limit, code) => {
    vi.useFakeTimers();
    const terminate = vi.fn();
    const worker = { postMessage: vi.fn(), terminate } as unknown as Worker;
    const client = new WorkerRpc(worker);
    const tell = (what: Clocked | null): unknown =>
      worker.onmessage?.call(worker, { data: { type: "clock", id: 1, on: what } } as MessageEvent);
    const call = client.call("stats", null);
    tell(on);
    vi.advanceTimersByTime(limit - 1);
    tell(null);
    vi.advanceTimersByTime(limit);
    tell(on);
    expect(terminate).not.toHaveBeenCalled();
    vi.advanceTimersByTime(limit);
    await expect(call).rejects.toMatchObject({ code });
    expect(client.threadsHang).toBe(on === "threads");
  });
});

describe("an instance that trapped is not gone on with", () => {
  const choice = { structured_outputs: { choice: ["a"] } };

  it("where a format could not be read", async () => {
    const engine = await create();
    const bad = { ...ask("Hi"), structured_outputs: { grammar: "!trap" } };
    await expect(engine.chat.completions.create(bad)).rejects.toMatchObject({ code: "grammar_error" });
    expect(fake.grammarInstances).toBe(2);
    const { choices } = await engine.chat.completions.create({ ...ask("Hi"), ...choice });
    expect(choices[0]?.message.content).toBe("a");
  });

  it("where one could not be followed, which the core tells", async () => {
    const engine = await create();
    const late = engine.chat.completions.create({ ...ask("!format"), ...choice });
    await expect(late).rejects.toMatchObject({ code: "grammar_error" });
    expect([fake.grammarInstances, fake.grammarsFreed]).toEqual([2, 0]);
    await engine.chat.completions.create({ ...ask("Hi"), ...choice });
    expect(fake.grammarsFreed).toBe(1);
  });
});
