import { describe, expect, it, vi } from "vitest";
import { HearthError, type ChatCompletionChunk, type EngineOptions, type LoadProgress } from "../src/index.js";
import { ask, collect, create, FILE, text, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";
import { FaultyServer } from "./server.js";
import { WorkerDouble } from "./worker-double.js";

useFakeCore();

describe("Engine.create", () => {
  it("loads a Blob and reports every phase", async () => {
    const phases: LoadProgress[] = [];
    fake.compileMs = 6;
    const engine = await create({ onProgress: (progress) => phases.push(progress) });
    expect(engine.model).toMatchObject({ architecture: "llama", weight_bytes: FILE.length });
    expect(engine.device.kind).toBe("cpu");
    expect(new Set(phases.map((progress) => progress.phase))).toEqual(
      new Set(["download", "weights", "compile", "ready"]),
    );
    expect(phases.filter((progress) => "tensor" in progress).map(({ phase }) => phase)).toEqual(["weights"]);
    expect(phases.at(-1)).toEqual({ phase: "ready", loaded: FILE.length, total: FILE.length });
  });

  it("tells what the model's files advise", async () => {
    expect((await create()).model.sampling).toBeNull();
    fake.sampling = { temperature: 0.6, top_k: 20 };
    expect((await create()).model.sampling).toEqual({ temperature: 0.6, top_k: 20 });
  });

  it("loads a ReadableStream and a URL", async () => {
    const stream = new Blob([FILE]).stream();
    expect((await create({ model: stream })).model.weight_bytes).toBe(FILE.length);
    const server = new FaultyServer(FILE);
    const engine = await create({ model: await server.listen() });
    server.close();
    expect(engine.model.weight_bytes).toBe(FILE.length);
  });

  it("passes on how to load", async () => {
    const options = {
      contextSize: 512,
      kvType: "q8",
      drafts: "off",
      quantize: "q4",
      overrides: { ropeTheta: 1e6 },
    } as const;
    await create(options);
    expect(fake.loaderOptions).toEqual({ ...options, totalBytes: FILE.length });
    await create();
    // Bounds the default context.
    expect(fake.loaderOptions).toEqual({ totalBytes: FILE.length, memory: 3 * 2 ** 30 });
  });

  it("passes on an error of a stream", async () => {
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.error(new Error("disk on fire"));
      },
    });
    await expect(create({ model: stream })).rejects.toMatchObject({ code: "internal_error" });
  });

  it.each([
    ["an empty file", "", "truncated_file"],
    ["a page of HTML", "<!doctype html>", "bad_file"],
    ["an unknown architecture", "GGUF arch=mamba9", "unsupported_architecture"],
  ])("refuses %s and ends the worker", async (_name, content, code) => {
    const error: unknown = await create({ model: new Blob([content]) }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HearthError);
    expect(error).toMatchObject({ code });
    expect((error as HearthError).hint).not.toBe("");
    expect(WorkerDouble.last?.terminated).toBe(true);
  });

  it("reports a core that cannot be compiled", async () => {
    fake.isBroken = true;
    const error: unknown = await create().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "wasm_failed" });
    expect((error as HearthError).message).toContain("magic word");
  });

  it("never takes the CPU by itself", async () => {
    await expect(create({ device: "webgpu" })).rejects.toMatchObject({ code: "no_webgpu" });
  });

  it("takes the CPU with a notice when allowed", async () => {
    const onNotice = vi.fn();
    const engine = await create({ device: "auto", onNotice });
    expect(engine.device.kind).toBe("cpu");
    expect(engine.notice?.code).toBe("cpu_fallback");
    expect(onNotice).toHaveBeenCalledWith(engine.notice);
  });

  it.each<[string, EngineOptions["model"]]>([
    ["in the same task", new Blob([FILE])],
    [
      "while a file is opened",
      { getFile: () => new Promise((resolve) => setTimeout(resolve, 20, new File([FILE], "m"))) } as never,
    ],
  ])("obeys an abort %s", async (_, model) => {
    const controller = new AbortController();
    const created = create({ model, signal: controller.signal });
    controller.abort();
    await expect(created).rejects.toMatchObject({ code: "cancelled" });
    expect(WorkerDouble.last?.terminated).toBe(true);
  });

  it("obeys an abort and ends the worker", async () => {
    const controller = new AbortController();
    fake.pushMs = 20;
    setTimeout(() => {
      controller.abort();
    }, 5);
    await expect(create({ signal: controller.signal })).rejects.toMatchObject({ code: "cancelled" });
    expect(WorkerDouble.last?.terminated).toBe(true);
  });

  it("reports a worker whose script does not run", async () => {
    const promise = create();
    WorkerDouble.last?.onerror?.({ message: "404", preventDefault: () => undefined });
    await expect(promise).rejects.toMatchObject({ code: "worker_died" });
  });
});

describe("chat.completions.create", () => {
  it("gives a whole completion in OpenAI's shape", async () => {
    const engine = await create();
    const completion = await engine.chat.completions.create(ask("!echo one two three"));
    expect(completion).toMatchObject({
      object: "chat.completion",
      model: "Fake 135M Instruct",
      choices: [{ message: { role: "assistant", content: "one two three" }, finish_reason: "stop" }],
      usage: { completion_tokens: 3 },
    });
    expect(completion.id).toMatch(/^chatcmpl-[0-9a-f]{32}$/);
  });

  it("streams chunks, role first, finish reason and usage last", async () => {
    const engine = await create();
    const stream = await engine.chat.completions.create({
      ...ask("!echo one two"),
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await collect(stream);
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: "assistant", content: "" });
    expect(text(chunks)).toBe("one two");
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("stop");
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 2 } });
  });

  it("stops at max_tokens with reason length", async () => {
    const engine = await create();
    const completion = await engine.chat.completions.create({ ...ask("!echo a b c d"), max_tokens: 2 });
    expect(completion.choices[0]).toMatchObject({ finish_reason: "length", message: { content: "a b" } });
  });

  it("adds token ids on request", async () => {
    const engine = await create();
    const params = { ...ask("!echo a b"), return_token_ids: true };
    expect((await engine.chat.completions.create(params)).choices[0]?.token_ids).toEqual([1, 2]);
    const chunks = await collect(await engine.chat.completions.create({ ...params, stream: true }));
    expect(chunks.flatMap((chunk) => chunk.choices[0]?.token_ids ?? [])).toEqual([1, 2]);
  });

  it("gives the stream as lines of JSON", async () => {
    const engine = await create();
    const stream = await engine.chat.completions.create({ ...ask("!echo hi"), stream: true });
    const lines = (await new Response(stream.toReadableStream()).text()).trim().split("\n");
    expect(text(lines.map((line) => JSON.parse(line) as ChatCompletionChunk))).toBe("hi");
  });

  it("cancels when the loop is left, and serves the next request", async () => {
    const engine = await create();
    fake.stepMs = 5;
    for await (const chunk of await engine.chat.completions.create({ ...ask("tell me"), stream: true })) {
      if (chunk.choices[0]?.delta.content) break;
    }
    const next = await engine.chat.completions.create(ask("!echo next"));
    expect(next.choices[0]?.message.content).toBe("next");
    expect(fake).toMatchObject({ liveGenerations: 0, cancelled: 1 });
  });

  it.each(["argument", "field"])("obeys an abort signal given as %s", async (place) => {
    const engine = await create();
    fake.stepMs = 5;
    const controller = new AbortController();
    const { signal } = controller;
    const params = { ...ask("tell me"), stream: true as const, ...(place === "field" ? { signal } : {}) };
    const stream = await engine.chat.completions.create(params, place === "argument" ? { signal } : {});
    let seen = "";
    const run = async (): Promise<void> => {
      for await (const chunk of stream) {
        seen += chunk.choices[0]?.delta.content ?? "";
        if (seen !== "") controller.abort();
      }
    };
    await expect(run()).rejects.toMatchObject({ code: "cancelled" });
    expect(seen).not.toBe("");
    await expect(engine.chat.completions.create(ask("x"), { signal })).rejects.toMatchObject({ code: "cancelled" });
  });

  it("serves requests one after the other, and lets a waiting one be aborted", async () => {
    const engine = await create();
    fake.stepMs = 5;
    const controller = new AbortController();
    const first = engine.chat.completions.create(ask("!echo a b c"));
    const second = engine.chat.completions.create(ask("!echo d e f"), { signal: controller.signal });
    const third = engine.chat.completions.create(ask("!echo g"));
    controller.abort();
    await expect(second).rejects.toMatchObject({ code: "cancelled" });
    expect((await third).choices[0]?.message.content).toBe("g");
    expect((await first).choices[0]?.message.content).toBe("a b c");
    expect(fake.liveGenerations).toBe(0);
  });

  it("passes on the core's errors and stays usable", async () => {
    const engine = await create({ contextSize: 100 });
    await expect(engine.chat.completions.create(ask("x".repeat(200)))).rejects.toMatchObject({
      code: "context_overflow",
    });
    expect((await engine.chat.completions.create(ask("!echo ok"))).choices[0]?.message.content).toBe("ok");
  });

  it("passes on an error of the GPU whose device is not lost, and stays usable", async () => {
    const engine = await create();
    await expect(engine.chat.completions.create(ask("!gpu"))).rejects.toMatchObject({ code: "gpu_error" });
    expect((await engine.chat.completions.create(ask("!echo ok"))).choices[0]?.message.content).toBe("ok");
  });

  it("answers other calls during a generation", async () => {
    const engine = await create();
    fake.stepMs = 2;
    const answer = engine.chat.completions.create(ask("tell me"));
    expect(await engine.count("four")).toBe(4);
    expect(await engine.detokenize(await engine.tokenize("héh"))).toBe("héh");
    expect((await engine.stats()).heap_bytes).toBeGreaterThan(0);
    await answer;
  });
});

describe("the end of an engine", () => {
  it("dispose rejects what runs and what comes later", async () => {
    const engine = await create();
    fake.stepMs = 5;
    const running = engine.chat.completions.create(ask("tell me"));
    await engine.stats();
    engine.dispose();
    await expect(running).rejects.toMatchObject({ code: "disposed" });
    await expect(engine.tokenize("x")).rejects.toMatchObject({ code: "disposed" });
    await expect(engine.chat.completions.create(ask("x"))).rejects.toMatchObject({ code: "disposed" });
    expect((await engine.closed).code).toBe("disposed");
  });

  it("a trap of the core ends it", async () => {
    const engine = await create();
    await expect(engine.chat.completions.create(ask("!trap"))).rejects.toMatchObject({ code: "internal_error" });
    await expect(engine.stats()).rejects.toMatchObject({ code: "internal_error" });
    expect(WorkerDouble.last?.terminated).toBe(true);
  });

  it.each(["idle", "told by the core"])("a lost device ends it where it is not recovered: %s", async (how) => {
    const engine = await create({ recover: false });
    if (how === "idle") await engine.loseDevice().catch(() => undefined);
    else await engine.chat.completions.create(ask("!lost")).catch(() => undefined);
    expect((await engine.closed).code).toBe("device_lost");
    await expect(engine.chat.completions.create(ask("x"))).rejects.toMatchObject({ code: "device_lost" });
    expect((await create()).device.kind).toBe("cpu");
  });

  it("a crash of the worker ends it", async () => {
    const engine = await create();
    fake.stepMs = 5;
    const running = engine.chat.completions.create(ask("tell me"));
    WorkerDouble.last?.onerror?.({ message: "boom", preventDefault: () => undefined });
    await expect(running).rejects.toMatchObject({ code: "worker_died" });
  });
});
