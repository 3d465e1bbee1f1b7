/** Tests of an engine beyond a single answer: replacement devices, several answers, plain texts. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { CallOptions, WorkerRpc } from "../src/backend/rpc.js";
import { RecoveringWorker } from "../src/backend/recover.js";
import { HearthError } from "../src/index.js";
import type { TokenDelta } from "../src/core/wasm-contract.js";
import { ask, collect, create, FILE, text, useFakeCore } from "./engine-support.js";
import { fake, Loader } from "./fake-wasm.js";
import { WorkerDouble } from "./worker-double.js";

useFakeCore();

describe("a lost device", () => {
  it("is replaced while nothing runs", async () => {
    const onNotice = vi.fn();
    const engine = await create({ onNotice });
    const before = WorkerDouble.last;
    await engine.loseDevice();
    expect(WorkerDouble.last).not.toBe(before);
    expect(before?.terminated).toBe(true);
    expect(onNotice).toHaveBeenCalledTimes(1);
    expect(onNotice.mock.calls[0]?.[0]).toMatchObject({ code: "device_recovered" });
    expect((await engine.chat.completions.create(ask("!echo a b"))).choices[0]?.message.content).toBe("a b");
  });

  it("costs an answer nothing but time", async () => {
    const onNotice = vi.fn();
    const engine = await create({ onNotice });
    for (const stream of [false, true]) {
      fake.loseAt = 3;
      const params = { ...ask("!echo a b c d e f"), return_token_ids: true };
      if (stream) {
        const chunks = await collect(await engine.chat.completions.create({ ...params, stream: true }));
        expect(text(chunks)).toBe("a b c d e f");
        expect(chunks.flatMap((chunk) => chunk.choices[0]?.token_ids ?? [])).toEqual([1, 2, 3, 4, 5, 6]);
      } else {
        const { choices, usage } = await engine.chat.completions.create(params);
        expect(choices[0]).toMatchObject({ message: { content: "a b c d e f" }, token_ids: [1, 2, 3, 4, 5, 6] });
        expect(usage.completion_tokens).toBe(6);
      }
      expect(fake.loseAt).toBeUndefined();
      // Tokens already received are not requested again.
      expect(fake.request).toMatchObject({ resume_ids: [1, 2], seed: expect.any(Number) as number });
    }
    expect(onNotice).toHaveBeenCalledTimes(2);
  });

  it("costs nothing of one that goes on after an interruption either: what was there comes once", async () => {
    const engine = await create();
    const params = { ...ask("!echo a b c d e f"), seed: 7, return_token_ids: true, resume_ids: [1, 2] };
    for (const loseAt of [undefined, 3, 5]) {
      fake.loseAt = loseAt;
      const chunks = await collect(await engine.chat.completions.create({ ...params, stream: true }));
      expect(text(chunks)).toBe("a b c d e f");
      expect(chunks.flatMap((chunk) => chunk.choices[0]?.token_ids ?? [])).toEqual([1, 2, 3, 4, 5, 6]);
      expect(fake.loseAt).toBeUndefined();
    }
    expect(fake.request).toMatchObject({ resume_ids: [1, 2, 3, 4], seed: 7 });
    expect(fake.request).not.toHaveProperty("repeat_resumed");
    const { choices } = await engine.chat.completions.create(params);
    expect(choices[0]).toMatchObject({ message: { content: "a b c d e f" }, token_ids: [1, 2, 3, 4, 5, 6] });
  });

  it("before the first token is asked the same again", async () => {
    const engine = await create();
    fake.loseAt = 0;
    const { choices } = await engine.chat.completions.create({ ...ask("!echo a b"), seed: 7 });
    expect(choices[0]?.message.content).toBe("a b");
    expect(fake.request).toMatchObject({ seed: 7 });
    expect(fake.request).not.toHaveProperty("resume_ids");
  });

  it("that is lost again and again ends the engine", async () => {
    const engine = await create();
    await expect(engine.chat.completions.create(ask("!lost"))).rejects.toMatchObject({ code: "device_lost" });
    expect((await engine.closed).code).toBe("device_lost");
    await expect(engine.stats()).rejects.toMatchObject({ code: "device_lost" });
  });

  it("ends an engine whose stream cannot be read again", async () => {
    const engine = await create({ model: new Blob([FILE]).stream() });
    await engine.loseDevice();
    expect((await engine.closed).code).toBe("device_lost");
  });

  it("is not replaced after dispose, and a load that has begun for it ends", async () => {
    const onNotice = vi.fn();
    const engine = await create({ onNotice });
    const before = WorkerDouble.last;
    const push = vi.spyOn(Loader.prototype, "push");
    const loading = new Promise<void>((resolve) => {
      push.mockImplementationOnce(() => {
        resolve();
        return new Promise(() => undefined);
      });
    });
    const lost = engine.loseDevice();
    await loading;
    expect(WorkerDouble.last).not.toBe(before);
    engine.dispose();
    await lost;
    expect((await engine.closed).code).toBe("disposed");
    expect(WorkerDouble.last?.terminated).toBe(true);
    expect(onNotice).not.toHaveBeenCalled();
  });
});

describe("losses", () => {
  const options = { onDelta: () => undefined };
  /** Creates an engine's connection whose workers each lose their device after this many tokens. */
  function losing(tokens: () => number): { connection: RecoveringWorker; made: () => number } {
    let made = 0;
    const client = (): WorkerRpc => {
      made += 1;
      let end!: (reason: HearthError) => void;
      const closed = new Promise<HearthError>((resolve) => (end = resolve));
      const call = (_: string, __: unknown, { onDelta }: CallOptions): Promise<null> => {
        const count = tokens();
        for (let i = 0; i < count; i++) onDelta?.({ ids: Uint32Array.of(1) } as unknown as TokenDelta);
        return Promise.reject(new HearthError("device_lost", "lost"));
      };
      return { isReplaced: false, closed, close: end, call } as unknown as WorkerRpc;
    };
    return { connection: new RecoveringWorker(client(), () => Promise.resolve(client()), vi.fn()), made: () => made };
  }

  beforeEach(() => {
    // Every reading of the clock advances it by an hour.
    let now = 0;
    vi.spyOn(Date, "now").mockImplementation(() => (now += 3_600_000));
  });

  it("without a token end the engine, however long each load takes", async () => {
    const { connection, made } = losing(() => 0);
    await expect(connection.call("generate", {}, () => options)).rejects.toMatchObject({
      code: "device_lost",
    });
    expect(made()).toBe(4);
  });

  it("count from the last token on", async () => {
    let calls = 0;
    const { connection, made } = losing(() => (++calls <= 6 ? 1 : 0));
    await expect(connection.call("generate", {}, () => options)).rejects.toMatchObject({
      code: "device_lost",
    });
    expect(made()).toBeGreaterThan(7);
  });
});

describe("dispose", () => {
  it.each(["generate", "tokenize"])("wakes what waits for another device: %s", async (what) => {
    const engine = await create();
    const push = vi.spyOn(Loader.prototype, "push");
    const loading = new Promise<void>((resolve) => {
      push.mockImplementationOnce(() => {
        resolve();
        return new Promise(() => undefined);
      });
    });
    const running = what === "generate" ? engine.chat.completions.create(ask("!lost")) : undefined;
    running?.catch(() => undefined);
    if (running === undefined) void engine.loseDevice();
    await loading;
    const waiting = running ?? engine.tokenize("x");
    engine.dispose();
    await expect(waiting).rejects.toMatchObject({ code: "disposed" });
    expect(WorkerDouble.last?.terminated).toBe(true);
  });
});

describe("several answers and plain texts", () => {
  it("n answers come in one completion, and the prompt counts once", async () => {
    const engine = await create();
    const { choices, usage } = await engine.chat.completions.create({ ...ask("!echo a b"), n: 3 });
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, "a b"],
      [1, "a b"],
      [2, "a b"],
    ]);
    expect(usage.completion_tokens).toBe(6);
    expect(usage.prompt_tokens).toBe((await engine.chat.completions.create(ask("!echo a b"))).usage.prompt_tokens);
  });

  it("thoughts come apart from the answer, or as they are", async () => {
    const engine = await create();
    const question = ask("!echo <think> Two plus two. </think> Four.");
    const [apart] = (await engine.chat.completions.create(question)).choices;
    expect(apart?.message).toMatchObject({ content: "Four.", reasoning_content: " Two plus two. " });
    const chunks = await collect(await engine.chat.completions.create({ ...question, stream: true }));
    expect(text(chunks)).toBe("Four.");
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.reasoning_content ?? "").join("")).toBe(" Two plus two. ");
    const [whole] = (await engine.chat.completions.create({ ...question, reasoning_format: "none" })).choices;
    expect(whole?.message).toEqual({
      role: "assistant",
      content: "<think> Two plus two. </think> Four.",
      refusal: null,
    });
  });

  it("a text goes on, whole and streamed, with the prompt before it on request", async () => {
    const engine = await create();
    const whole = await engine.completions.create({ prompt: "!echo a b", echo: true });
    expect(whole).toMatchObject({
      object: "text_completion",
      choices: [{ index: 0, text: "!echo a ba b", finish_reason: "stop" }],
    });
    expect(whole.id).toMatch(/^cmpl-/);
    let streamed = "";
    for await (const chunk of await engine.completions.create({ prompt: ["!echo a", "!echo b"], stream: true })) {
      for (const { index, text } of chunk.choices) if (text !== "") streamed += `${String(index)}:${text} `;
    }
    expect(streamed).toBe("0:a 1:b ");
  });

  it("diagnostics tell device, model and counters", async () => {
    const engine = await create();
    expect(await engine.diagnostics()).toMatchObject({
      version: "0.0.0-fake",
      crossOriginIsolated: false,
      device: { kind: "cpu" },
      model: { architecture: "llama" },
      stats: { heap_bytes: 2 ** 24 },
    });
  });
});
