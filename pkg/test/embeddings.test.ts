import { beforeEach, describe, expect, it } from "vitest";
import type { Engine } from "../src/index.js";
import { code, create, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";

let engine: Engine;

useFakeCore();

beforeEach(async () => {
  engine = await create({ contextSize: 10 });
});

describe("engine.embeddings.create", () => {
  it("has OpenAI's shape, for one text and for several", async () => {
    const one = await engine.embeddings.create({ input: "abc" });
    expect(one).toEqual({
      object: "list",
      data: [{ object: "embedding", index: 0, embedding: [3, 1] }],
      model: "Fake 135M Instruct",
      usage: { prompt_tokens: 3, total_tokens: 3 },
    });
    const { data, usage } = await engine.embeddings.create({ input: ["a", "", "abcd"] });
    expect(data.map(({ index, embedding }) => [index, embedding])).toEqual([
      [0, [1, 1]],
      [1, [0, 1]],
      [2, [4, 1]],
    ]);
    expect(usage.total_tokens).toBe(5);
  });

  it("gives the core as many texts as it takes in a step, and the others next", async () => {
    const input = ["a", "bcdefgh", "ijk", "lmno", "pqrstuvwxyz"];
    const { data, usage } = await engine.embeddings.create({ input, truncate: true });
    expect(fake.embedded).toEqual([[1, 7], [3, 4], [10]]);
    expect(data.map(({ index, embedding }) => [index, embedding[0]])).toEqual([1, 7, 3, 4, 10].map((n, i) => [i, n]));
    expect(usage.total_tokens).toBe(25);
  });

  it("gives the bytes as base64 to who asks for them", async () => {
    const { data } = await engine.embeddings.create({ input: "ab", encoding_format: "base64" });
    const bytes = Buffer.from(data[0]?.embedding as string, "base64");
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([2, 1]);
  });

  it("refuses a text that is too long, or cuts it", async () => {
    const input = "x".repeat(11);
    expect(await code(engine.embeddings.create({ input }))).toBe("context_overflow");
    expect((await engine.embeddings.create({ input, truncate: true })).usage.total_tokens).toBe(10);
  });

  it("takes tokens in the place of texts, for one text and for several", async () => {
    const one = await engine.embeddings.create({ input: [7, 8, 9] });
    expect([one.data.map(({ embedding }) => embedding), one.usage.prompt_tokens]).toEqual([[[3, 1]], 3]);
    const { data, usage } = await engine.embeddings.create({ input: [[7], [8, 9]] });
    expect([data.map(({ embedding }) => embedding), usage.total_tokens]).toEqual([
      [
        [1, 1],
        [2, 1],
      ],
      3,
    ]);
  });

  it("shortens embeddings, and refuses more dimensions than the model's", async () => {
    const { data } = await engine.embeddings.create({ input: ["ab", "c"], dimensions: 1 });
    expect(data.map(({ embedding }) => embedding)).toEqual([[2], [1]]);
    for (const dimensions of [0, 3, 1.5, -1, "1"]) {
      expect(await code(engine.embeddings.create({ input: "a", dimensions } as never))).toBe("invalid_request");
    }
    expect((await engine.embeddings.create({ input: "a", dimensions: null })).data[0]?.embedding).toEqual([1, 1]);
  });

  it("refuses what is no text", async () => {
    for (const input of [[], [[]], [1.5], [-1], [2 ** 32], ["a", 1], ["a", [1]], [[1], 2], 5, undefined]) {
      expect(await code(engine.embeddings.create({ input } as never))).toBe("invalid_request");
    }
  });

  it("waits for a running answer, which it does not disturb", async () => {
    fake.stepMs = 2;
    const order: string[] = [];
    const answer = engine.chat.completions.create({ messages: [{ role: "user", content: "Hi" }] });
    const [{ choices }] = await Promise.all([
      answer.finally(() => order.push("answer")),
      engine.embeddings.create({ input: "abc" }).finally(() => order.push("embedding")),
    ]);
    expect(order).toEqual(["answer", "embedding"]);
    expect(choices[0]?.finish_reason).toBe("stop");
  });

  it("ends when it is aborted, between two texts", async () => {
    fake.stepMs = 5;
    const controller = new AbortController();
    const input = Array.from({ length: 1000 }, () => "abc");
    const running = engine.embeddings.create({ input, signal: controller.signal });
    setTimeout(() => {
      controller.abort();
    }, 20);
    expect(await code(running)).toBe("cancelled");
    expect((await engine.embeddings.create({ input: "abc" })).usage.total_tokens).toBe(3);
  });
});
