import { describe, expect, it } from "vitest";
import type { ChatCompletionCreateParams, ChatCompletionTool } from "../src/api/openai.js";
import { STYLES } from "../src/answer/styles/index.js";
import type { ToolStyle } from "../src/core/wasm-contract.js";
import { toChatRequests } from "../src/request/request.js";
import type { ModelStyle } from "../src/request/tools.js";
import { ask, collect, create, useFakeCore } from "./engine-support.js";
import { fake } from "./fake-wasm.js";

useFakeCore();

const weather: ChatCompletionTool = {
  type: "function",
  function: {
    name: "weather",
    parameters: {
      type: "object",
      properties: { city: { $ref: "#/$defs/city" } },
      required: ["city"],
      $defs: { city: { type: "string" } },
    },
  },
};
const time: ChatCompletionTool = { type: "function", function: { name: "time" } };
const tools = [weather, time];

function planned(params: Partial<ChatCompletionCreateParams>, style: ModelStyle): Record<string, unknown> {
  const { requests } = toChatRequests({ ...ask("Hi"), tools, ...params }, style);
  return requests[0] as unknown as Record<string, unknown>;
}

describe("a request with tools", () => {
  it("gives them to the template", () => {
    const request = planned({}, "hermes");
    expect(request).toMatchObject({ tools, skip_special_tokens: false });
    expect(request.format).toBeUndefined();
  });

  it("tells a model of them whose template does not", () => {
    const request = planned({}, null) as { messages: { content: string }[]; tools?: unknown };
    expect(request.tools).toBeUndefined();
    expect(request.messages).toHaveLength(1);
    expect(request.messages[0]?.content).toMatch(/"name":"weather"[^]*<tool_call>[^]*\n\nHi$/);
  });

  it("says calls and their results in words to such a model", () => {
    const call = { id: "1", type: "function" as const, function: { name: "time", arguments: '{"a": 1}' } };
    const messages = [
      { role: "user" as const, content: "When?" },
      { role: "assistant" as const, content: null, tool_calls: [call] },
      { role: "tool" as const, content: "now", tool_call_id: "1" },
    ];
    const found = planned({ messages, tools: [] }, null).messages as { role: string; content: string }[];
    expect(found.map(({ role }) => role)).toEqual(["user", "assistant", "user"]);
    expect(found[1]?.content).toBe('<tool_call>\n{"name":"time","arguments":{"a":1}}\n</tool_call>');
    expect(found[2]?.content).toBe("<tool_response>\nnow\n</tool_response>");
    // Templates that support calls receive the arguments as an object.
    const own = planned({ messages, tools: [] }, "hermes").messages as Record<string, unknown>[];
    expect(own[1]).toMatchObject({ tool_calls: [{ function: { name: "time", arguments: { a: 1 } } }] });
    expect(own[2]).toMatchObject({ role: "tool", tool_call_id: "1" });
  });

  it("asks for calls in the model's way where one is required", () => {
    const format = (params: object, style: ModelStyle): string =>
      JSON.stringify(planned({ tool_choice: "required", ...params }, style).format);
    expect(format({}, "hermes")).toContain("<tool_call>");
    expect(format({}, null)).toContain("<tool_call>");
    expect(format({}, "llama")).toContain('"parameters"');
    expect(format({}, "mistral")).toContain("<|[TOOL_CALLS]|>");
    expect(format({}, "harmony")).toContain("to=functions.time");
    expect(format({ parallel_tool_calls: false }, "mistral")).toContain("maxItems");
    // References of the tool's own schema must work inside the larger one.
    expect(format({}, "llama")).not.toContain('"$ref":"#/$defs/city"');
    expect(format({}, "xml")).toContain("<parameter=city>");
    const named = { tool_choice: { type: "function", function: { name: "time" } } };
    expect(format(named, "llama")).not.toContain("weather");
  });

  // Native tests compile these formats with the real module.
  it("asks in words that do not change unseen", async () => {
    const styles = Object.keys(STYLES) as ToolStyle[];
    const formats = Object.fromEntries(
      styles.map((style) => [style, planned({ tool_choice: "required" }, style).format]),
    );
    await expect(`${JSON.stringify(formats, null, 2)}\n`).toMatchFileSnapshot("snapshots/tool-formats.json");
  });

  it("does not speak of tools that are not to be used", () => {
    const request = planned({ tool_choice: "none" }, "hermes");
    expect(request.tools).toBeUndefined();
    expect(request.format).toBeUndefined();
  });
});

describe("an engine", () => {
  const called = '<tool_call>\n{"name": "time", "arguments": {"zone": "UTC"}}\n</tool_call>';

  it("gives calls as OpenAI does", async () => {
    const engine = await create();
    const answer = await engine.chat.completions.create({ ...ask("When?"), tools, tool_choice: "auto" });
    expect(answer.choices[0]?.finish_reason).toBe("stop");
    fake.toolStyle = "hermes";
    const able = await create();
    const { choices } = await able.chat.completions.create({ ...ask(`!echo ${called}`), tools });
    expect(choices[0]).toMatchObject({
      message: {
        content: null,
        tool_calls: [{ type: "function", function: { name: "time", arguments: '{"zone": "UTC"}' } }],
      },
      finish_reason: "tool_calls",
    });
  });

  it("streams them", async () => {
    fake.toolStyle = "hermes";
    const engine = await create();
    const stream = await engine.chat.completions.create({ ...ask(`!echo ${called}`), tools, stream: true });
    const chunks = await collect(stream);
    const deltas = chunks.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
    expect(deltas[0]).toMatchObject({ index: 0, type: "function", function: { name: "time" } });
    expect(deltas[0]?.id).toMatch(/^[a-z0-9]{9}$/);
    expect(deltas.map((delta) => delta.function.arguments).join("")).toBe('{"zone": "UTC"}');
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("tool_calls");
  });

  it("follows a format, and frees what follows it", async () => {
    const engine = await create();
    const choice = { structured_outputs: { choice: ["never said by a model"] } };
    const { choices } = await engine.chat.completions.create({ ...ask("Hi"), ...choice });
    expect(choices[0]?.message.content).toBe("never said by a model");
    expect(fake.request).not.toHaveProperty("format");
    expect(fake.grammarsFreed).toBe(1);
  });

  it("says what is wrong with a format", async () => {
    const engine = await create();
    const wanted = (grammar: string): Promise<unknown> =>
      engine.chat.completions.create({ ...ask("Hi"), structured_outputs: { grammar } });
    await expect(wanted("!bad")).rejects.toMatchObject({ code: "invalid_request" });
    await expect(wanted("!bad")).rejects.toThrow("expected something else");
    await expect(wanted("!trap")).rejects.toMatchObject({ code: "grammar_error" });
    await expect(wanted("fine")).resolves.toBeDefined();
  });

  it("says that the module for formats cannot be had, and tries again", async () => {
    const engine = await create();
    const wanted = (): Promise<unknown> =>
      engine.chat.completions.create({ ...ask("Hi"), structured_outputs: { choice: ["a"] } });
    fake.isBroken = true;
    await expect(wanted()).rejects.toMatchObject({ code: "wasm_failed" });
    fake.isBroken = false;
    await expect(wanted()).resolves.toBeDefined();
  });

  it("gives log-probabilities in both shapes", async () => {
    const engine = await create();
    const params = { ...ask("!echo one two"), logprobs: true, top_logprobs: 1 };
    const { choices } = await engine.chat.completions.create(params);
    expect(choices[0]?.logprobs?.content.map(({ token, logprob }) => [token, logprob])).toEqual([
      ["one", -0.5],
      [" two", -0.5],
    ]);
    expect(choices[0]?.logprobs?.content[0]?.top_logprobs).toEqual([
      { token: "one", bytes: [111, 110, 101], logprob: -0.5 },
    ]);
    const chunks = await collect(await engine.chat.completions.create({ ...params, stream: true }));
    expect(chunks.flatMap((chunk) => chunk.choices[0]?.logprobs?.content ?? [])).toHaveLength(2);
    const prompt = "!echo one two";
    const text = await engine.completions.create({ prompt, logprobs: 1, echo: true });
    expect(text.choices[0]?.logprobs).toEqual({
      tokens: ["one", " two"],
      token_logprobs: [-0.5, -0.5],
      top_logprobs: [{ one: -0.5 }, { " two": -0.5 }],
      text_offset: [prompt.length, prompt.length + 3],
    });
  });

  it("knows that an answer begins within thoughts", async () => {
    fake.inThoughts = true;
    const engine = await create();
    const { choices } = await engine.chat.completions.create(ask("!echo I think. </think> So."));
    expect(choices[0]?.message).toMatchObject({ reasoning_content: "I think. ", content: "So." });
  });
});
