/** The choice between this device and a server: what decides, what is never done, and what answers say. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Backend } from "../../src/backend/backend.js";
import { HearthError } from "../../src/core/errors.js";
import type { Engine, EngineOptions } from "../../src/engine.js";
import type { Fit } from "../../src/fit/fit.js";
import type { ChatCompletionChunk } from "../../src/index.js";
import { Router, type Route, type RouterOptions } from "../../src/remote/index.js";

const doubles = vi.hoisted(() => ({ create: vi.fn(), canRun: vi.fn() }));
vi.mock("../../src/engine.js", () => ({ Engine: { create: doubles.create } }));
vi.mock("../../src/fit/fit.js", () => ({ canRun: doubles.canRun }));

const HEAD = { id: "1", created: 7, model: "x" };
const messages = [{ role: "user" as const, content: "hi" }];

interface Double {
  backend: Backend;
  asked: number;
  disposed: number;
  /** Thrown after so many chunks, or before any answer. */
  fault: { error: Error; after: number } | undefined;
}

/** Returns a backend that says its name in two chunks. */
function double(name: string, where: "here" | "server"): Double {
  const made: Double = { backend: undefined as never, asked: 0, disposed: 0, fault: undefined };
  const chunk = (content: string, finish_reason: "stop" | null = null): ChatCompletionChunk => ({
    ...HEAD,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta: { content }, finish_reason, logprobs: null }],
  });
  async function* chunks(): AsyncGenerator<ChatCompletionChunk> {
    for (const [at, one] of [chunk(""), chunk(name), chunk("!", "stop")].entries()) {
      await Promise.resolve();
      if (made.fault?.after === at) throw made.fault.error;
      yield one;
    }
  }
  made.backend = {
    model: { name },
    capabilities: {} as never,
    ...(where === "here" ? { local: {} as never } : { servedBy: { where, server: "box:8000", model: name } }),
    closed: new Promise(() => undefined),
    chat: () => {
      made.asked++;
      if (made.fault !== undefined) return Promise.reject(made.fault.error);
      const message = { role: "assistant", content: name, refusal: null };
      return Promise.resolve({ ...HEAD, choices: [{ index: 0, message, finish_reason: "stop" }] } as never);
    },
    streamChat: () => {
      made.asked++;
      return Promise.resolve(chunks());
    },
    dispose: () => {
      made.disposed++;
    },
  } as Partial<Backend> as Backend;
  return made;
}

let local: Double;
let remote: Double;
let routes: Route[];

beforeEach(() => {
  local = double("small", "here");
  remote = double("large", "server");
  routes = [];
  doubles.create.mockReset().mockResolvedValue({ backend: local.backend });
  doubles.canRun.mockReset();
});

const OPTIONS: EngineOptions = { model: "owner/name" };
const verdict = (fit: Partial<Fit>): Partial<Fit> => ({ changes: {}, reasons: ["it takes 9 GiB"], ...fit });

const create = (options: Partial<RouterOptions> = {}): Promise<Router> =>
  Router.create({ local: OPTIONS, remote, onRoute: (route) => routes.push(route), ...options });

async function ask(router: Router): Promise<{ text: string | null; by: object | undefined }> {
  const answer = await router.chat.completions.create({ messages });
  return { text: answer.choices[0]?.message.content ?? null, by: answer.served_by };
}

async function read(router: Router): Promise<{ text: string; places: Set<string | undefined> }> {
  let text = "";
  const places = new Set<string | undefined>();
  for await (const { choices, served_by } of await router.chat.completions.create({ messages, stream: true })) {
    text += choices[0]?.delta.content ?? "";
    places.add(served_by?.where);
  }
  return { text, places };
}

describe("prefer", () => {
  it("is this device by default, and the server is never asked", async () => {
    const router = await create();
    expect(await ask(router)).toEqual({
      text: "small",
      by: { where: "here", model: "small", reason: "prefer is local" },
    });
    expect(await read(router)).toEqual({ text: "small!", places: new Set(["here"]) });
    expect([remote.asked, doubles.canRun.mock.calls.length]).toEqual([0, 0]);
    expect(routes).toEqual([
      { place: "local", model: "small", reason: "prefer is local" },
      { place: "local", model: "small", reason: "prefer is local" },
    ]);
  });

  it("of the server loads no engine", async () => {
    const router = await create({ prefer: "remote" });
    const { by } = await ask(router);
    expect(by).toEqual({ where: "server", server: "box:8000", model: "large", reason: "prefer is remote" });
    expect([doubles.create.mock.calls.length, local.asked]).toEqual([0, 0]);
    expect(router.backend.local).toBeUndefined();
  });

  it("takes an engine that is there, which stays the caller's", async () => {
    const router = await create({ local: { backend: local.backend } as unknown as Engine, prefer: "fit" });
    expect((await ask(router)).by).toMatchObject({ where: "here", reason: "it is loaded" });
    router.dispose();
    expect([local.disposed, remote.disposed]).toEqual([0, 0]);
  });

  it.each<[string, Partial<Fit>, Partial<RouterOptions>, "here" | "server", string]>([
    ["fits", { verdict: "fits" }, {}, "here", "it fits this device"],
    [
      "does_not_fit",
      { verdict: "does_not_fit" },
      {},
      "server",
      "the local model does not fit this device: it takes 9 GiB",
    ],
    ["smaller", { verdict: "smaller" }, {}, "server", "the local model does not fit this device: it takes 9 GiB"],
    [
      "smaller",
      { verdict: "smaller", changes: { contextSize: 512 } },
      { smaller: true },
      "here",
      "it fits this device made smaller: it takes 9 GiB",
    ],
    ["unknown", { verdict: "unknown" }, {}, "here", "nothing says that it does not fit: it takes 9 GiB"],
  ])("fit: canRun says %s", async (_, fit, options, where, reason) => {
    doubles.canRun.mockResolvedValue(verdict(fit));
    const router = await create({ prefer: "fit", ...options });
    await router.ready;
    expect((await ask(router)).by).toMatchObject({ where, reason });
    expect(doubles.canRun).toHaveBeenCalledTimes(1);
    expect(doubles.create.mock.calls.map(([given]) => (given as EngineOptions).contextSize)).toEqual(
      where === "here" ? [fit.changes?.contextSize] : [],
    );
    expect(router.fit?.verdict).toBe(fit.verdict);
  });

  it("fit: the server answers while the local model is loading", async () => {
    doubles.canRun.mockResolvedValue(verdict({ verdict: "fits" }));
    let loaded!: (engine: { backend: Backend }) => void;
    doubles.create.mockReturnValue(new Promise((resolve) => (loaded = resolve)));
    const router = await create({ prefer: "fit" });
    expect((await ask(router)).by).toMatchObject({ where: "server", reason: "the local model is loading" });
    await vi.waitFor(() => {
      expect(doubles.create).toHaveBeenCalled();
    });
    loaded({ backend: local.backend });
    await router.ready;
    expect((await ask(router)).by).toMatchObject({ where: "here" });
    router.dispose();
    expect([local.disposed, remote.disposed]).toEqual([1, 0]);
    await expect(ask(router)).rejects.toMatchObject({ code: "disposed" });
  });

  it("is overruled by the application for one request", async () => {
    const router = await create({ choose: (request) => ("messages" in request ? "remote" : undefined) });
    expect((await ask(router)).by).toMatchObject({ where: "server", reason: "the application chose it" });
  });
});

describe("an error of the local model", () => {
  const fault = { error: new HearthError("device_lost", "it is gone"), after: 1 };

  it("goes to nobody else", async () => {
    doubles.create.mockRejectedValue(new HearthError("out_of_memory", "too large"));
    await expect(create()).rejects.toMatchObject({ code: "out_of_memory" });
    doubles.canRun.mockResolvedValue(verdict({ verdict: "fits" }));
    const router = await create({ prefer: "fit" });
    await router.ready;
    await expect(ask(router)).rejects.toMatchObject({ code: "out_of_memory" });
    doubles.create.mockResolvedValue({ backend: local.backend });
    const loaded = await create();
    local.fault = fault;
    await expect(ask(loaded)).rejects.toMatchObject({ code: "device_lost" });
    await expect(read(loaded)).rejects.toMatchObject({ code: "device_lost" });
    expect(remote.asked).toBe(0);
  });

  it("goes to the server where that was allowed, before any text", async () => {
    const router = await create({ fallback: true });
    local.fault = fault;
    const reason = "after an error of the local model: it is gone";
    expect(await ask(router)).toMatchObject({ text: "large", by: { where: "server", reason } });
    expect(await read(router)).toEqual({ text: "large!", places: new Set(["server"]) });
    local.fault = { ...fault, after: 2 };
    await expect(read(router)).rejects.toMatchObject({ code: "device_lost" });
    expect(remote.asked).toBe(2);
    local.fault = { error: new HearthError("invalid_request", "no"), after: 0 };
    await expect(ask(router)).rejects.toMatchObject({ code: "invalid_request" });
    expect(remote.asked).toBe(2);
  });

  it("that cannot be loaded leaves it to the server where that was allowed", async () => {
    doubles.create.mockRejectedValue(new HearthError("out_of_memory", "too large"));
    const router = await create({ fallback: true });
    const reason = "the local model could not be loaded: too large";
    expect((await ask(router)).by).toMatchObject({ where: "server", reason });
  });
});

it("an error of the server comes to this device where that was allowed", async () => {
  const engine = { backend: local.backend } as unknown as Engine;
  const router = await create({ local: engine, prefer: "remote", fallback: true });
  remote.fault = { error: new HearthError("remote_unreachable", "gone"), after: 0 };
  expect((await read(router)).text).toBe("small!");
  expect(routes.map(({ place }) => place)).toEqual(["remote", "local"]);
});
