/** Tests of OpenAI's own client with an engine on the fake core. */
import OpenAI from "openai";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Engine } from "../src/index.js";
import { createFetch } from "../src/openai-fetch.js";
import { fake, resetFake } from "./fake-wasm.js";
import { WorkerDouble } from "./worker-double.js";

let engine: Engine;
let client: OpenAI;

beforeEach(async () => {
  vi.stubGlobal("Worker", WorkerDouble);
  resetFake();
  engine = await Engine.create({ model: new Blob(["GGUF".padEnd(1000, "x")]), device: "cpu", contextSize: 300 });
  client = new OpenAI({ apiKey: "none", baseURL: "https://hearth.invalid/v1", fetch: createFetch(engine) });
});

afterEach(() => {
  engine.dispose();
  vi.unstubAllGlobals();
});

const messages = [{ role: "user" as const, content: "!echo one two three" }];
const model = "any";

it("answers whole", async () => {
  const completion = await client.chat.completions.create({ model, messages, n: 2 });
  expect(completion.choices.map(({ message }) => message.content)).toEqual(["one two three", "one two three"]);
  expect(completion.usage?.completion_tokens).toBe(6);
});

it("streams, with the usage last", async () => {
  const stream = await client.chat.completions.create({
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let tokens: number | undefined;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    tokens = chunk.usage?.completion_tokens ?? tokens;
  }
  expect([text, tokens]).toEqual(["one two three", 3]);
});

it("serves the client's stream helper", async () => {
  const stream = client.chat.completions.stream({ model, messages });
  const deltas: string[] = [];
  stream.on("content", (delta) => deltas.push(delta));
  expect(await stream.finalContent()).toBe("one two three");
  expect(deltas).toEqual(["one", " two", " three"]);
});

it("completes texts, embeds, and tells its model", async () => {
  const completion = await client.completions.create({ model, prompt: "!echo a" });
  expect(completion.choices[0]?.text).toBe("a");
  const embedding = await client.embeddings.create({ model, input: ["x", "y"] });
  expect(embedding.data).toHaveLength(2);
  expect(typeof embedding.data[0]?.embedding[0]).toBe("number");
  expect((await client.models.list()).data.map(({ id }) => id)).toEqual([engine.model.name]);
});

it("makes the client's exceptions of errors, with their codes", async () => {
  const tooLong = [{ role: "user" as const, content: "x".repeat(400) }];
  await expect(client.chat.completions.create({ model, messages: tooLong })).rejects.toMatchObject({
    status: 400,
    code: "context_overflow",
  });
  await expect(client.chat.completions.create({ model, messages, temperature: 7 })).rejects.toThrow("temperature");
  await expect(client.images.generate({ prompt: "a cat" })).rejects.toMatchObject({ status: 400 });
  engine.dispose();
  await expect(client.chat.completions.create({ model, messages })).rejects.toMatchObject({
    status: 500,
    code: "disposed",
  });
});

it("obeys the client's abort", async () => {
  fake.stepMs = 5;
  const stream = await client.chat.completions.create({
    model,
    messages: [{ role: "user", content: "tell me" }],
    stream: true,
  });
  let chunks = 0;
  for await (const chunk of stream) {
    chunks += chunk.choices[0]?.delta.content ? 1 : 0;
    if (chunks === 2) stream.controller.abort();
  }
  expect(chunks).toBeLessThan(5);
  await vi.waitFor(() => {
    expect(fake.liveGenerations).toBe(0);
  });
});

it("chooses among engines by the model's name", async () => {
  const asked: string[] = [];
  const fetch = createFetch((name) => {
    asked.push(name);
    return engine;
  });
  const several = new OpenAI({ apiKey: "none", baseURL: "https://hearth.invalid/v1", fetch });
  await several.chat.completions.create({ model: "small", messages });
  expect(asked).toEqual(["small"]);
});

it("serves schemas, tools and log-probabilities to the client's helpers", async () => {
  fake.toolStyle = "hermes";
  const able = await Engine.create({ model: new Blob(["GGUF".padEnd(1000, "x")]), device: "cpu", contextSize: 900 });
  const client = new OpenAI({ apiKey: "none", baseURL: "https://hearth.invalid/v1", fetch: createFetch(able) });
  const call = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>';
  const asked = [{ role: "user" as const, content: `!echo ${call}` }];
  const tools = [
    {
      type: "function" as const,
      function: { name: "add", parameters: { type: "object" }, parse: JSON.parse, function: () => "2" },
    },
  ];
  const stream = client.chat.completions.stream({ model, messages: asked, tools: tools as never });
  const { choices } = await stream.finalChatCompletion();
  expect(choices[0]?.finish_reason).toBe("tool_calls");
  const [found] = choices[0]?.message.tool_calls ?? [];
  expect(found).toMatchObject({ type: "function", function: { name: "add", arguments: '{"a": 1}' } });

  const told = await client.chat.completions.create({ model, messages, logprobs: true, top_logprobs: 1 });
  expect(told.choices[0]?.logprobs?.content?.map(({ token }) => token)).toEqual(["one", " two", " three"]);

  const json_schema = { name: "list", schema: { type: "array" }, strict: true };
  const parsed = await client.chat.completions.parse({
    model,
    messages,
    response_format: { type: "json_schema", json_schema },
  });
  // The double returns its format instead of following it, which is JSON as well.
  expect(parsed.choices[0]?.message.parsed).toEqual({ json_schema: { type: "array" } });
  able.dispose();
});
