import { beforeEach, describe, expect, it } from "vitest";
import type { Engine } from "../src/index.js";
import { createFetch } from "../src/openai-fetch.js";
import { code, create, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";

let engine: Engine;

useFakeCore();

beforeEach(async () => {
  engine = await create({ contextSize: 10 });
});

describe("engine.rerank", () => {
  const query = "ab";

  it("has the common shape, the best document first", async () => {
    const found = await engine.rerank({ query, documents: ["axxx", "abab", "ax"] });
    expect(found).toEqual({
      object: "list",
      model: "Fake 135M Instruct",
      results: [
        { index: 1, relevance_score: 1 },
        { index: 2, relevance_score: 0.5 },
        { index: 0, relevance_score: 0.25 },
      ],
      usage: { prompt_tokens: 16, total_tokens: 16 },
    });
  });

  it("returns as many as are asked for, with their texts, and keeps the order of equal ones", async () => {
    const documents = ["x", "a", { text: "b" }];
    const { results } = await engine.rerank({ query, documents, top_n: 2, return_documents: true });
    expect(results).toEqual([
      { index: 1, relevance_score: 1, document: { text: "a" } },
      { index: 2, relevance_score: 1, document: { text: "b" } },
    ]);
    expect((await engine.rerank({ query, documents, top_n: 9 })).results).toHaveLength(3);
  });

  it("refuses what it cannot take, by name", async () => {
    const documents = ["a"];
    for (const [field, params] of [
      ["query", { documents }],
      ["documents", { query }],
      ["documents", { query, documents: [] }],
      ["documents[1]", { query, documents: ["a", {}] }],
      ["documents[0]", { query, documents: [null] }],
      ["top_n", { query, documents, top_n: 0 }],
      ["top_n", { query, documents, top_n: 1.5 }],
      ["return_documents", { query, documents, return_documents: 1 }],
      ["max_chunks_per_doc", { query, documents, max_chunks_per_doc: 3 }],
    ] as const) {
      const error: unknown = await engine.rerank(params as never).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: "invalid_request" });
      expect((error as Error).message).toContain(`${field} must be`);
    }
  });

  it("refuses a document that is too long, or cuts it", async () => {
    const documents = ["a".repeat(20)];
    expect(await code(engine.rerank({ query, documents }))).toBe("context_overflow");
    expect((await engine.rerank({ query, documents, truncate: true })).usage.total_tokens).toBe(10);
  });

  it("ends when it is aborted, between two documents", async () => {
    fake.stepMs = 5;
    const controller = new AbortController();
    const documents = Array.from({ length: 1000 }, () => "abc");
    const running = engine.rerank({ query, documents }, { signal: controller.signal });
    setTimeout(() => {
      controller.abort();
    }, 20);
    expect(await code(running)).toBe("cancelled");
  });

  it("is served to clients of the protocol", async () => {
    const body = JSON.stringify({ model: "any", query, documents: ["x", "a"] });
    const response = await createFetch(engine)("https://hearth.invalid/v1/rerank", { method: "POST", body });
    expect(await response.json()).toMatchObject({ results: [{ index: 1 }, { index: 0 }] });
  });
});
