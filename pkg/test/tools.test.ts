import { describe, expect, it } from "vitest";
import type { ChatCompletionCreateParams, ChatCompletionTool } from "../src/api/openai.js";
import { toChatRequests } from "../src/request/request.js";
import { CallParser } from "../src/tools/calls.js";
import { HarmonyParser } from "../src/tools/harmony.js";
import type { CallDelta, Parts } from "../src/tools/parts.js";
import type { ModelStyle } from "../src/tools/plan.js";
import type { ToolStyle } from "../src/core/wasm-contract.js";
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

interface Read {
  content: string;
  reasoning: string;
  calls: { name: string; arguments: string }[];
}

/** Feeds the text in pieces of `size` characters. */
function read(text: string, style: Exclude<ToolStyle, "xml">, size: number): Read {
  const parser = style === "harmony" ? new HarmonyParser() : new CallParser(style, ["weather", "time"]);
  const found: Read = { content: "", reasoning: "", calls: [] };
  const take = (pieces: CallDelta[]): void => {
    for (const { index, name, arguments: args } of pieces) {
      if (name !== undefined) found.calls[index] = { name, arguments: "" };
      const call = found.calls[index];
      if (call !== undefined) call.arguments += args;
    }
  };
  for (let at = 0; at < text.length || at === 0; at += size) {
    const parts: Partial<Parts> & Pick<Parts, "content" | "calls"> = parser.feed(
      text.slice(at, at + size),
      at + size >= text.length,
    );
    found.content += parts.content;
    found.reasoning += parts.reasoning ?? "";
    take(parts.calls);
  }
  return found;
}

const PARIS = '{"city": "Pa\\"ri}s"}';
const CASES: [string, ToolStyle, string, Partial<Read>][] = [
  ["no call", "hermes", "Just <b>text</b> {}.", { content: "Just <b>text</b> {}." }],
  [
    "a call",
    "hermes",
    `<tool_call>\n{"name": "weather", "arguments": ${PARIS}}\n</tool_call>`,
    { calls: [{ name: "weather", arguments: PARIS }] },
  ],
  [
    "calls behind text",
    "hermes",
    `I look.\n\n<tool_call>\n{"name": "weather", "arguments": ${PARIS}}\n</tool_call>\n<tool_call>{"name":"time","arguments":{}}</tool_call>`,
    {
      content: "I look.",
      calls: [
        { name: "weather", arguments: PARIS },
        { name: "time", arguments: "{}" },
      ],
    },
  ],
  [
    "text behind a call",
    "hermes",
    '<tool_call>{"name": "time", "arguments": {}}</tool_call>\nDone.',
    { content: "Done.", calls: [{ name: "time", arguments: "{}" }] },
  ],
  [
    "arguments first",
    "hermes",
    '<tool_call>{"arguments": {"a": [1]}, "name": "time"}</tool_call>',
    { calls: [{ name: "time", arguments: '{"a":[1]}' }] },
  ],
  [
    "a call that is cut off",
    "hermes",
    '<tool_call>{"name": "weather", "arguments": {"city": "Pa',
    { calls: [{ name: "weather", arguments: '{"city": "Pa' }] },
  ],
  ["a tag that is none", "hermes", "a <tool_ca> b <tool_call", { content: "a <tool_ca> b <tool_call" }],
  [
    "a call",
    "llama",
    `{"name": "weather", "parameters": ${PARIS}}`,
    { calls: [{ name: "weather", arguments: PARIS }] },
  ],
  [
    "a call behind the tag",
    "llama",
    `<|python_tag|>{"name": "time", "parameters": {}}`,
    { calls: [{ name: "time", arguments: "{}" }] },
  ],
  [
    "several calls",
    "llama",
    `{"name": "time", "parameters": {}}; {"name": "weather", "parameters": ${PARIS}}`,
    {
      calls: [
        { name: "time", arguments: "{}" },
        { name: "weather", arguments: PARIS },
      ],
    },
  ],
  [
    "JSON that is no call",
    "llama",
    '{"name": "Anna", "parameters": 5} and so on',
    { content: '{"name": "Anna", "parameters": 5} and so on' },
  ],
  ["other JSON", "llama", '{"answer": [1, 2]}', { content: '{"answer": [1, 2]}' }],
  ["JSON that is cut off", "llama", '{"answer": [1', { content: '{"answer": [1' }],
  ["text", "llama", "It is {hot}.", { content: "It is {hot}." }],
  [
    "a list",
    "mistral",
    `[TOOL_CALLS][{"name": "weather", "arguments": ${PARIS}}, {"name": "time", "arguments": {}}]`,
    {
      calls: [
        { name: "weather", arguments: PARIS },
        { name: "time", arguments: "{}" },
      ],
    },
  ],
  [
    "names and arguments",
    "mistral",
    `Well.[TOOL_CALLS]weather[ARGS]${PARIS}[TOOL_CALLS]time[CALL_ID]abc[ARGS]{}`,
    {
      content: "Well.",
      calls: [
        { name: "weather", arguments: PARIS },
        { name: "time", arguments: "{}" },
      ],
    },
  ],
  [
    "an answer",
    "harmony",
    "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hot, 5 < 6.",
    { reasoning: "Hm.", content: "Hot, 5 < 6." },
  ],
  [
    "a call",
    "harmony",
    `<|channel|>analysis<|message|>Look.<|end|><|start|>assistant<|channel|>commentary to=functions.weather <|constrain|>json<|message|>${PARIS}<|call|>`,
    { reasoning: "Look.", calls: [{ name: "weather", arguments: PARIS }] },
  ],
  [
    "a call by the other order",
    "harmony",
    `<|start|>assistant to=functions.time<|channel|>commentary json<|message|>{}`,
    { calls: [{ name: "time", arguments: "{}" }] },
  ],
];

describe("calls in an answer's text", () => {
  for (const [name, style, text, expected] of CASES) {
    it(`${style}: ${name}`, () => {
      for (const size of [1, 2, 3, 7, 10_000]) {
        expect(read(text, style as Exclude<ToolStyle, "xml">, size)).toEqual({
          content: "",
          reasoning: "",
          calls: [],
          ...expected,
        });
      }
    });
  }
});

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
    const styles = ["hermes", "xml", "llama", "mistral", "harmony"] as const;
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
