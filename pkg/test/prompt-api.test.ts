/** Rules of the Prompt API's draft, with sessions over engines on the fake core. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Engine } from "../src/index.js";
import {
  install,
  promptApi,
  type LanguageModel,
  type LanguageModelSession,
  type PromptMessage,
} from "../src/prompt-api/index.js";
import { create, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";

useFakeCore();

let engine: Engine;
let api: LanguageModel;

beforeEach(async () => {
  engine = await create({ contextSize: 60 });
  api = promptApi(engine);
});

const sent = (): unknown[] => fake.request?.messages?.map(({ role, content }) => [role, content]) ?? [];
const user = (content: string): PromptMessage => ({ role: "user", content });
const system: PromptMessage = { role: "system", content: "Be brief." };

async function text(stream: ReadableStream<string>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of stream as unknown as AsyncIterable<string>) pieces.push(piece);
  return pieces;
}

describe("prompts", () => {
  let session: LanguageModelSession;

  beforeEach(async () => {
    session = await api.create();
  });

  it("are answered whole and as streams, with what was said before", async () => {
    expect(await session.prompt("!echo one two")).toBe("one two");
    expect(await text(session.promptStreaming("!echo a b"))).toEqual(["a", " b"]);
    expect(sent()).toEqual([
      ["user", "!echo one two"],
      ["assistant", "one two"],
      ["user", "!echo a b"],
    ]);
    expect(session.contextUsage).toBe("!echo one two\none two\n!echo a b".length + 2);
    expect(session.contextWindow).toBe(60);
  });

  it("are answered one after another", async () => {
    expect(await Promise.all([session.prompt("!echo a"), session.prompt("!echo b")])).toEqual(["a", "b"]);
    expect(sent()).toHaveLength(3);
  });

  it("may be appended without an answer, and cloned", async () => {
    await session.append([user("x"), { role: "assistant", content: [{ type: "text", value: "y" }] }]);
    expect(session.contextUsage).toBe(2 * (4 + 1));
    const copy = await session.clone();
    await copy.prompt("!echo a");
    expect(sent()).toEqual([
      ["user", "x"],
      ["assistant", "y"],
      ["user", "!echo a"],
    ]);
    await session.prompt("!echo b");
    expect(sent()).toHaveLength(3);
    expect(await session.measureContextUsage("four")).toBe(8);
  });

  it("continue a prefix, and keep it with the answer", async () => {
    session = await promptApi(await create()).create();
    await session.prompt([user("!echo x"), { role: "assistant", content: "So: ", prefix: true }]);
    expect(fake.request?.continue_final_message).toBe(true);
    await session.prompt("!echo a");
    expect(sent()[1]).toEqual(["assistant", expect.stringMatching(/^So: ./)]);
    for (const wrong of [
      [{ ...user("x"), prefix: true }],
      [{ role: "assistant" as const, content: "x", prefix: true }, user("y")],
    ]) {
      await expect(session.prompt(wrong)).rejects.toMatchObject({ name: "SyntaxError" });
    }
  });

  it("are constrained by schemas and regular expressions", async () => {
    const schema = { type: "boolean" };
    const answer = await session.prompt("x", { responseConstraint: schema, omitResponseConstraintInput: true });
    // The double returns its format instead of following it.
    expect(JSON.parse(answer)).toEqual({ json_schema: schema });
    expect(JSON.parse(await (await api.create()).prompt("x", { responseConstraint: /a+/ }))).toEqual({ regex: "a+" });
    await expect(session.prompt("x", { responseConstraint: /a/i })).rejects.toMatchObject({
      name: "NotSupportedError",
    });
  });

  it("leave nothing after an abort", async () => {
    fake.stepMs = 5;
    const controller = new AbortController();
    const reason = new Error("enough");
    const asked = session.prompt("tell me", { signal: controller.signal });
    setTimeout(() => {
      controller.abort(reason);
    }, 20);
    await expect(asked).rejects.toBe(reason);
    const reader = session.promptStreaming("tell me").getReader();
    await reader.read();
    await reader.cancel();
    await vi.waitFor(() => {
      expect(fake.liveGenerations).toBe(0);
    });
    fake.stepMs = 0;
    await session.prompt("!echo a");
    expect(sent()).toEqual([["user", "!echo a"]]);
    await expect(session.prompt("x", { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
  });

  it("end with the session, whose engine stays", async () => {
    fake.stepMs = 5;
    const asked = session.prompt("tell me");
    session.destroy();
    await expect(asked).rejects.toMatchObject({ name: "AbortError" });
    for (const call of [session.prompt("x"), session.append("x"), session.clone()]) {
      await expect(call).rejects.toMatchObject({ name: "AbortError" });
    }
    expect(await (await api.create()).prompt("!echo a")).toBe("a");
  });

  it("are refused with the draft's errors", async () => {
    const picture = [{ role: "user", content: [{ type: "audio", value: "x" }] }] as never;
    await expect(session.prompt(picture)).rejects.toMatchObject({ name: "NotSupportedError" });
    await expect(session.prompt([user("x"), system])).rejects.toThrow(TypeError);
    await session.prompt([system, user("!echo a")]);
    await expect(session.prompt([system])).rejects.toThrow(TypeError);
    await expect(session.prompt([{ role: "critic", content: "x" } as never])).rejects.toThrow(TypeError);
    await expect(session.prompt("!gpu")).rejects.toMatchObject({ name: "OperationError" });
  });
});

describe("a full context", () => {
  it("drops the oldest turns, never the initial prompts, and says so", async () => {
    const session = await api.create({ initialPrompts: [system] });
    const onOverflow = vi.fn();
    session.oncontextoverflow = onOverflow;
    await session.prompt("!echo one");
    await session.prompt("!echo two");
    expect(onOverflow).not.toHaveBeenCalled();
    expect(await session.prompt("!echo 12345678901234567890")).toBe("12345678901234567890");
    expect(onOverflow).toHaveBeenCalledOnce();
    expect(sent()).toEqual([
      ["system", "Be brief."],
      ["user", "!echo two"],
      ["assistant", "two"],
      ["user", "!echo 12345678901234567890"],
    ]);
    session.oncontextoverflow = null;
    await session.append("x".repeat(40));
    expect(onOverflow).toHaveBeenCalledOnce();
  });

  it("refuses what can never fit", async () => {
    const session = await api.create();
    const quota = { name: "QuotaExceededError", quota: 60 };
    await expect(session.prompt("x".repeat(100))).rejects.toMatchObject({ ...quota, requested: 104 });
    await expect(session.append("x".repeat(100))).rejects.toMatchObject(quota);
    await expect(api.create({ initialPrompts: [user("x".repeat(100))] })).rejects.toMatchObject(quota);
  });
});

describe("sessions", () => {
  it("sample as their mode says", async () => {
    const session = await api.create({ samplingMode: "creative" });
    await session.prompt("!echo a");
    expect(fake.request).toMatchObject({ temperature: 1.2, min_p: 0.05 });
  });

  it("share one model, which is opened with progress", async () => {
    const open = vi.fn(async ({ onProgress }: { onProgress: (progress: never) => void }) => {
      await Promise.resolve();
      for (const loaded of [10, 5, 90, 100]) onProgress({ phase: "download", loaded, total: 100 } as never);
      return engine;
    });
    const lazy = promptApi({ open });
    expect(await lazy.availability()).toBe("downloadable");
    const seen: number[] = [];
    const monitor = (target: EventTarget): void => {
      target.addEventListener("downloadprogress", (event) => seen.push((event as unknown as ProgressEvent).loaded));
    };
    const both = [lazy.create({ monitor }), lazy.create()];
    expect(await lazy.availability()).toBe("downloading");
    await Promise.all(both);
    expect(await lazy.availability()).toBe("available");
    expect(open).toHaveBeenCalledOnce();
    expect(seen).toEqual([0, 0.1, 0.9, 1]);
  });

  it("end the download when nobody waits for it", async () => {
    let ended: AbortSignal | undefined;
    const open = ({ signal }: { signal: AbortSignal }): Promise<Engine> => {
      ended = signal;
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => {
          reject(signal.reason as Error);
        });
      });
    };
    const lazy = promptApi({ open });
    const [one, two] = [new AbortController(), new AbortController()];
    const both = [one, two].map(({ signal }) => lazy.create({ signal }));
    one.abort();
    await expect(both[0]).rejects.toMatchObject({ name: "AbortError" });
    expect(ended?.aborted).toBe(false);
    two.abort();
    // A later session opens the model again.
    const three = new AbortController();
    const later = lazy.create({ signal: three.signal });
    await vi.waitFor(() => {
      expect(ended?.aborted).toBe(false);
    });
    three.abort();
    await expect(later).rejects.toMatchObject({ name: "AbortError" });
    await expect(both[1]).rejects.toMatchObject({ name: "AbortError" });
    expect(ended?.aborted).toBe(true);
    expect(await lazy.availability()).toBe("downloadable");
  });

  it("are refused where they need what is not there", async () => {
    for (const options of [
      { expectedInputs: [{ type: "audio" }] },
      { expectedOutputs: [{ type: "image" }] },
      { tools: [{}] },
      { samplingMode: "wild" as never },
    ]) {
      expect(await api.availability(options)).toBe("unavailable");
      await expect(api.create(options)).rejects.toMatchObject({ name: "NotSupportedError" });
    }
    expect(await api.availability({ expectedInputs: [{ type: "text", languages: ["en"] }] })).toBe("available");
  });

  it("become the page's only where it has none", async () => {
    const scope: { LanguageModel?: unknown } = {};
    expect(await install(api, scope)).toBe(true);
    expect(scope.LanguageModel).toBe(api);
    expect(await install(promptApi(engine), scope)).toBe(false);
    const none = { LanguageModel: { availability: () => Promise.resolve("unavailable") } };
    expect(await install(api, none)).toBe(true);
  });

  it("also run over a backend", async () => {
    const session = await promptApi(engine.backend).create();
    expect(await session.prompt("!echo a")).toBe("a");
    expect(await session.measureContextUsage("four")).toBe(8);
  });
});
