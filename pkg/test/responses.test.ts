/** Tests of OpenAI's own client that asks for responses, with an engine on the fake core. */
import OpenAI from "openai";
import type { ResponseStreamEvent } from "openai/resources/responses/responses";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { createFetch } from "../src/openai-fetch.js";
import { create, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";

useFakeCore();

let client: OpenAI;

async function connect(): Promise<void> {
  const fetch = createFetch(await create({ contextSize: 900 }));
  client = new OpenAI({ apiKey: "none", baseURL: "https://hearth.invalid/v1", fetch });
}

beforeEach(connect);

const model = "any";
const input = "!echo one two three";
const CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>';
const add = { type: "function" as const, name: "add", parameters: { type: "object" }, strict: true };

async function events(params: object): Promise<ResponseStreamEvent[]> {
  const stream = await client.responses.create({ model, input, ...params, stream: true });
  const found: ResponseStreamEvent[] = [];
  for await (const event of stream) found.push(event);
  return found;
}

describe("whole", () => {
  it("answers a text", async () => {
    const response = await client.responses.create({ model, input, instructions: "Be brief.", temperature: 0 });
    expect(response).toMatchObject({
      object: "response",
      status: "completed",
      error: null,
      store: false,
      temperature: 0,
    });
    expect(response.output_text).toBe("one two three");
    expect(response.output).toMatchObject([{ type: "message", role: "assistant", status: "completed" }]);
    const tokens = "Be brief.\n".length + input.length;
    expect(response.usage).toMatchObject({ input_tokens: tokens, output_tokens: 3, total_tokens: tokens + 3 });
    expect(response.usage?.input_tokens_details.cached_tokens).toBe(0);
    expect(fake.request).toMatchObject({ temperature: 0, messages: [{ role: "system", content: "Be brief." }, {}] });
  });

  it("says that it was cut", async () => {
    const response = await client.responses.create({ model, input, max_output_tokens: 2 });
    expect(response).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_output_tokens" } });
    expect([response.output_text, response.output[0]]).toMatchObject(["one two", { status: "incomplete" }]);
  });

  it("keeps thoughts apart", async () => {
    fake.inThoughts = true;
    const response = await client.responses.create({ model, input: "!echo because</think> yes" });
    expect(response.output).toMatchObject([
      { type: "reasoning", summary: [], content: [{ type: "reasoning_text", text: "because" }] },
      { type: "message", content: [{ type: "output_text", text: "yes", annotations: [] }] },
    ]);
  });

  it("follows schemas", async () => {
    const schema = { type: "array" };
    const format = { type: "json_schema" as const, name: "list", schema, strict: true };
    const response = await client.responses.parse({ model, input, text: { format } });
    // The double returns its format instead of following it.
    expect(JSON.parse(response.output_text)).toEqual({ json_schema: schema });
  });

  it("calls tools, and reads their results and the rest of a conversation", async () => {
    fake.toolStyle = "hermes";
    await connect();
    const asked = await client.responses.create({ model, input: `!echo ${CALL}`, tools: [add] });
    const [call] = asked.output;
    expect(call).toMatchObject({ type: "function_call", name: "add", arguments: '{"a": 1}', status: "completed" });
    const call_id = call?.type === "function_call" ? call.call_id : "";
    expect(call_id).not.toBe("");
    await client.responses.create({
      model,
      tools: [add],
      tool_choice: "none",
      input: [
        { role: "user", content: [{ type: "input_text", text: "add" }] },
        { type: "reasoning", id: "rs_1", summary: [], content: [{ type: "reasoning_text", text: "hm" }] },
        ...asked.output,
        { type: "function_call_output", call_id, output: "2" },
        { type: "message", role: "user", content: input },
      ],
    });
    expect(fake.request?.messages).toMatchObject([
      { role: "user", content: "add" },
      { role: "assistant", reasoning_content: "hm", tool_calls: [{ id: call_id, function: { name: "add" } }] },
      { role: "tool", content: "2", tool_call_id: call_id },
      { role: "user", content: input },
    ]);
  });
});

describe("streamed", () => {
  it("sends the events of a text in order", async () => {
    const found = await events({});
    expect(found.map(({ type }) => type)).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      ...Array<string>(3).fill("response.output_text.delta"),
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    expect(found.map(({ sequence_number }) => sequence_number)).toEqual(found.map((_, index) => index));
    const last = found.at(-1);
    expect(last?.type === "response.completed" && last.response).toMatchObject({
      status: "completed",
      usage: { output_tokens: 3 },
      output: [{ content: [{ text: "one two three" }] }],
    });
    expect((await events({ max_output_tokens: 1 })).at(-1)?.type).toBe("response.incomplete");
  });

  it("serves the client's stream helper, with thoughts and calls", async () => {
    fake.toolStyle = "hermes";
    fake.inThoughts = true;
    await connect();
    const stream = client.responses.stream({ model, input: `!echo because</think> yes ${CALL}`, tools: [add] });
    const deltas: string[] = [];
    const snapshots: string[] = [];
    stream.on("response.output_text.delta", ({ delta }) => deltas.push(delta));
    stream.on("response.function_call_arguments.delta", ({ snapshot }) => snapshots.push(snapshot));
    const { output } = await stream.finalResponse();
    expect(output.map(({ type }) => type)).toEqual(["reasoning", "message", "function_call"]);
    expect(deltas.join("").trim()).toBe("yes");
    expect(snapshots.at(-1)).toBe('{"a": 1}');
  });

  it("obeys the client's abort", async () => {
    fake.stepMs = 5;
    const stream = await client.responses.create({ model, input: "tell me", stream: true });
    let deltas = 0;
    for await (const { type } of stream) {
      deltas += type === "response.output_text.delta" ? 1 : 0;
      if (deltas === 2) stream.controller.abort();
    }
    expect(deltas).toBeLessThan(5);
    await vi.waitFor(() => {
      expect(fake.liveGenerations).toBe(0);
    });
  });
});

describe("refused by name", () => {
  it.each([
    ["store", { store: true }],
    ["previous_response_id", { previous_response_id: "resp_1" }],
    ["conversation", { conversation: "conv_1" }],
    ["background", { background: true }],
    ["truncation", { truncation: "auto" }],
    ["include", { include: ["reasoning.encrypted_content"] }],
    ["reasoning_effort", { reasoning: { effort: "high" } }],
    ["reasoning.summary", { reasoning: { summary: "auto" } }],
    ["text.verbosity", { text: { verbosity: "low" } }],
    ["tools[0].type", { tools: [{ type: "web_search" }] }],
    ["tool_choice.type", { tools: [add], tool_choice: { type: "file_search" } }],
    ["input[0].type", { input: [{ type: "item_reference", id: "msg_1" }] }],
    ["input[0].content", { input: [{ role: "user", content: [{ type: "input_file" }] }] }],
    ["input_audio", { input: [{ role: "user", content: [{ type: "input_audio" }] }] }],
    ["input[0].encrypted_content", { input: [{ type: "reasoning", summary: [], encrypted_content: "x" }] }],
    ["input", { input: undefined }],
    ["messages[0].role", { input: [{ role: "critic", content: "x" }] }],
    ["temperature", { temperature: 7 }],
    ["warmth", { warmth: 1 }],
  ])("%s", async (name, params) => {
    const asked = client.responses.create({ model, input, ...(params as object) });
    await expect(asked).rejects.toMatchObject({ status: 400, code: "invalid_request" });
    await expect(asked).rejects.toThrow(name);
  });

  it("but defaults may be spelled out", async () => {
    const defaults = {
      store: false,
      truncation: "disabled",
      background: false,
      include: [],
      reasoning: { effort: "medium" },
    };
    const response = await client.responses.create({ model, input, ...(defaults as object) });
    expect((response as OpenAI.Responses.Response).output_text).toBe("one two three");
    await client.responses.create({ model, input, reasoning: { effort: "none" } });
    expect(fake.request?.enable_thinking).toBe(false);
  });
});

it("ranks at /v1/rerank", async () => {
  const body = { model, query: "ab", documents: ["xyz", "ab"], top_n: 1 };
  expect(await client.post("/rerank", { body })).toMatchObject({ results: [{ index: 1, relevance_score: 1 }] });
  await expect(client.post("/rerank", { body: { ...body, documents: "ab" } })).rejects.toMatchObject({ status: 400 });
});
