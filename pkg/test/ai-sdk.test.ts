/** Tests of the AI SDK itself, in both versions, with models of the provider over engines on the fake core. */
/* eslint-disable @typescript-eslint/no-deprecated -- the names that versions 6 and 7 share are deprecated in 7 */
import type { EmbeddingModelV4, LanguageModelV4, ProviderV4, RerankingModelV4 } from "@ai-sdk/provider";
import * as six from "ai-6";
import * as seven from "ai";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { createHearth, type CallOptions, type StreamPart } from "../src/ai-sdk/index.js";
import type { Engine } from "../src/index.js";
import { create, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";

useFakeCore();

let engine: Engine;

beforeEach(async () => {
  // The SDK writes its warnings to the console otherwise.
  vi.stubGlobal("AI_SDK_LOG_WARNINGS", false);
  engine = await create();
});

const CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>';
const schema = { type: "object" as const, properties: { a: { type: "number" as const } }, required: ["a"] };
const prompt = "!echo one two three";

async function parts(options: Partial<CallOptions>): Promise<StreamPart[]> {
  const user = { role: "user" as const, content: [{ type: "text", text: prompt }] };
  const { stream } = await createHearth(engine)().doStream({ prompt: [user], ...options });
  const found: StreamPart[] = [];
  for await (const part of stream as unknown as AsyncIterable<StreamPart>) found.push(part);
  return found;
}

it("has the types of the specification", () => {
  const hearth = createHearth(engine);
  const provider: Pick<ProviderV4, "specificationVersion" | "languageModel" | "embeddingModel" | "imageModel"> = hearth;
  const models: [LanguageModelV4, EmbeddingModelV4, RerankingModelV4] = [
    hearth("any"),
    hearth.embeddingModel("any"),
    hearth.rerankingModel("any"),
  ];
  expect(models.map(({ specificationVersion, modelId }) => [specificationVersion, modelId])).toEqual(
    Array(3).fill(["v4", "any"]),
  );
  expect(hearth().modelId).toBe(engine.model.name);
  expect(() => provider.imageModel("x")).toThrow("no model makes images");
  expect(() => createHearth(engine, { specification: "v2" as never })).toThrow("specification");
});

describe.each([
  ["ai 7", seven, "v4"],
  ["ai 6", six as unknown as typeof seven, "v3"],
] as const)("%s", (_, ai, specification) => {
  // The cast gives both versions one type; that of version 6 is checked below.
  const provider = () => createHearth(engine, { specification });

  it("answers whole, with usage and facts", async () => {
    const result = await ai.generateText({ model: provider()(), prompt, maxOutputTokens: 2, temperature: 0 });
    expect(result.text).toBe("one two");
    expect(result.finishReason).toBe("length");
    expect(result.usage).toMatchObject({ inputTokens: prompt.length, outputTokens: 2, totalTokens: prompt.length + 2 });
    expect(result.usage.inputTokenDetails).toMatchObject({ noCacheTokens: prompt.length, cacheReadTokens: 0 });
    expect(result.response.modelId).toBe(engine.model.name);
    expect(result.providerMetadata?.hearth).toHaveProperty("timings");
    expect(result.warnings ?? []).toEqual([]);
    expect(fake.request).toMatchObject({ max_tokens: 2, temperature: 0 });
  });

  it("streams texts", async () => {
    const result = ai.streamText({ model: provider()(), system: "Be brief.", prompt, stopSequences: ["!"] });
    const deltas: string[] = [];
    for await (const delta of result.textStream) deltas.push(delta);
    expect(deltas).toEqual(["one", " two", " three"]);
    expect(await result.finishReason).toBe("stop");
    expect((await result.usage).outputTokens).toBe(3);
    expect(fake.request).toMatchObject({ messages: [{ role: "system", content: "Be brief." }, {}], stop: ["!"] });
  });

  it("streams thoughts apart from the answer", async () => {
    fake.inThoughts = true;
    const result = ai.streamText({ model: provider()(), prompt: "!echo because</think> yes" });
    expect((await result.reasoningText)?.trim()).toBe("because");
    expect((await result.text).trim()).toBe("yes");
  });

  it("makes objects through formats of the core", async () => {
    const output = ai.Output.object({ schema: ai.jsonSchema<{ a: number }>(schema), name: "thing" });
    // The double returns its format instead of following it.
    const result = await ai.generateText({ model: provider()(), prompt, output });
    expect(result.text).toBe(JSON.stringify({ json_schema: schema }));
    expect(fake.request?.messages?.at(-1)?.content).toBe(prompt);
  });

  it("calls tools, and answers with their results", async () => {
    fake.toolStyle = "hermes";
    engine = await create();
    const called: number[] = [];
    const execute = ({ a }: { a: number }): number => {
      called.push(a);
      return a + 1;
    };
    const inputSchema = ai.jsonSchema<{ a: number }>(schema);
    const tools = { add: ai.tool({ description: "Adds one.", inputSchema, execute }) };
    const options = { prompt: `!echo ${CALL}`, tools, stopWhen: ai.stepCountIs(2) };
    const whole = await ai.generateText({ model: provider()(), ...options });
    expect(whole.steps).toHaveLength(2);
    expect(whole.steps[0]?.finishReason).toBe("tool-calls");
    const [asked, told] = fake.request?.messages?.slice(-2) ?? [];
    expect(asked?.tool_calls).toMatchObject([{ function: { name: "add", arguments: { a: 1 } } }]);
    expect(told).toMatchObject({ role: "tool", content: "2", tool_call_id: whole.steps[0]?.toolCalls[0]?.toolCallId });

    const streamed = ai.streamText({ model: provider()(), ...options, stopWhen: ai.stepCountIs(1) });
    const types: string[] = [];
    for await (const { type } of streamed.fullStream) types.push(type);
    expect(types.filter((type) => type.startsWith("tool-"))).toEqual([
      "tool-input-start",
      ...types.filter((type) => type === "tool-input-delta"),
      "tool-input-end",
      "tool-call",
      "tool-result",
    ]);
    expect(called).toEqual([1, 1]);
  });

  it("embeds, with fields of its own", async () => {
    const model = provider().embeddingModel();
    const one = await ai.embed({ model, value: "abc" });
    expect(one.embedding).toEqual([3, 1]);
    const many = await ai.embedMany({
      model,
      values: ["a", "ab"],
      providerOptions: { hearth: { dimensions: 1 } },
    });
    expect(many.embeddings).toEqual([[1], [2]]);
    expect(many.usage.tokens).toBe(3);
  });

  it("ranks texts and objects", async () => {
    const model = provider().rerankingModel();
    const { ranking } = await ai.rerank({ model, documents: ["xyz", "ab"], query: "ab", topN: 1 });
    expect(ranking).toMatchObject([{ originalIndex: 1, score: 1, document: "ab" }]);
    const objects = await ai.rerank({ model, documents: [{ t: "ab" }, { t: "x" }], query: '{"t":"ab"}' });
    expect(objects.ranking[0]).toMatchObject({ originalIndex: 0, score: 1 });
  });

  it("stops with the caller's signal", async () => {
    fake.stepMs = 5;
    const controller = new AbortController();
    const onAbort = vi.fn();
    const options = { model: provider()(), prompt: "tell me", abortSignal: controller.signal };
    const result = ai.streamText({ ...options, onAbort });
    for await (const { type } of result.fullStream) if (type === "text-delta") controller.abort();
    expect(onAbort).toHaveBeenCalledOnce();
    await vi.waitFor(() => {
      expect(fake.liveGenerations).toBe(0);
    });
    await expect(ai.generateText(options)).rejects.toMatchObject({ name: "AbortError" });
  });

  it("passes on errors with their codes, before an answer and within one", async () => {
    const model = provider()();
    await expect(ai.generateText({ model, prompt: "x".repeat(3000) })).rejects.toMatchObject({
      code: "context_overflow",
    });
    await expect(ai.generateText({ model, prompt, temperature: 7 })).rejects.toThrow("temperature");
    const errors: unknown[] = [];
    const failed = ai.streamText({ model, prompt: "!gpu", onError: ({ error }) => void errors.push(error) });
    await failed.consumeStream();
    expect(errors).toMatchObject([{ code: "gpu_error" }]);
  });
});

it("has the types of version 6", async () => {
  const hearth = createHearth(engine, { specification: "v3" });
  expect((await six.generateText({ model: hearth(), prompt })).text).toBe("one two three");
  expect((await six.embed({ model: hearth.embeddingModel(), value: "a" })).embedding).toHaveLength(2);
});

it("makes objects with generateObject", async () => {
  const answer = await seven.generateObject({ model: createHearth(engine)(), prompt, output: "no-schema" });
  // The double returns its format, which is JSON.
  expect(answer.object).toBeTypeOf("object");
});

it("streams the parts in order", async () => {
  const found = await parts({ includeRawChunks: true });
  expect(found.filter(({ type }) => type !== "raw").map(({ type }) => type)).toEqual([
    "stream-start",
    "response-metadata",
    "text-start",
    ...Array<string>(3).fill("text-delta"),
    "text-end",
    "finish",
  ]);
  expect(found.filter(({ type }) => type === "raw").length).toBeGreaterThanOrEqual(3);
});

it("warns of what has no effect, by name", async () => {
  fake.toolStyle = "hermes";
  engine = await create();
  const [start] = await parts({
    tools: [
      { type: "provider", id: "openai.web_search", name: "search" },
      { type: "function", name: "add", inputSchema: schema, inputExamples: [{ input: { a: 1 } }] },
    ],
    responseFormat: { type: "json", schema },
    reasoning: "high",
  });
  const { warnings } = start as Extract<StreamPart, { type: "stream-start" }>;
  expect(warnings.map(({ type, feature }) => `${type}: ${feature}`)).toEqual([
    "unsupported: provider-defined tool openai.web_search",
    "unsupported: inputExamples of tool add",
    "compatibility: tools with a JSON format",
    "compatibility: reasoning",
  ]);
  expect(fake.request?.enable_thinking).toBe(true);
  await parts({ reasoning: "none" });
  expect(fake.request?.enable_thinking).toBe(false);
});

it("passes on the provider's own fields, and refuses unknown ones", async () => {
  await parts({ providerOptions: { hearth: { min_p: 0.1 } } });
  expect(fake.request?.min_p).toBe(0.1);
  await expect(parts({ providerOptions: { hearth: { warmth: 1 } } })).rejects.toThrow("warmth");
});

it("sends conversations whole, and refuses files that are not the user's", async () => {
  fake.toolStyle = "hermes";
  engine = await create();
  const output = (type: string, value?: unknown): object => ({
    type: "tool-result",
    toolCallId: "1",
    output: { type, value },
  });
  const history = [
    {
      role: "assistant",
      content: [
        { type: "reasoning", text: "hm" },
        { type: "text", text: "let me see" },
        { type: "tool-call", toolCallId: "1", toolName: "add", input: { a: 1 } },
      ],
    },
    {
      role: "tool",
      content: [
        output("json", { b: 2 }),
        output("error-text", "no"),
        output("execution-denied"),
        output("content", [{ type: "text", text: "c" }]),
        { type: "tool-approval-response", approvalId: "2", approved: false },
      ],
    },
    { role: "user", content: [{ type: "text", text: prompt }] },
  ] as unknown as CallOptions["prompt"];
  await parts({ prompt: history });
  const sent = fake.request?.messages ?? [];
  expect(sent[0]).toMatchObject({ content: "let me see", reasoning_content: "hm" });
  expect(sent.slice(1, 5).map(({ content }) => content)).toEqual(['{"b":2}', "no", "The user denied this call.", "c"]);
  const file = { role: "system" as const, content: [{ type: "file", mediaType: "image/png" }] };
  await expect(parts({ prompt: [file] })).rejects.toThrow('parts of type "file" are not supported');
});

it("chooses among engines by the model's name", async () => {
  const asked: string[] = [];
  const hearth = createHearth((name) => {
    asked.push(name);
    return engine;
  });
  await seven.generateText({ model: hearth("small"), prompt });
  expect(asked).toEqual(["small"]);
});
