/** Every field of the requests of OpenAI, vLLM and llama.cpp: served, taken without effect, or refused by its name. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HearthError } from "../src/errors.js";
import { checkFields } from "../src/fields.js";
import type { ChatCompletionCreateParams } from "../src/openai.js";
import { toChatRequests, toTextRequests } from "../src/request.js";
import { rust } from "./rust-source.js";

type Params = Record<string, unknown>;

const messages = [{ role: "user", content: "hi" }];

function chat(params: Params): Params {
  return toChatRequests({ messages, ...params } as unknown as ChatCompletionCreateParams, null).requests[0] as Params;
}
function text(params: Params): Params {
  return toTextRequests({ prompt: "a", ...params })[0] as unknown as Params;
}
function embeddings(params: Params): Params {
  checkFields("embeddings", { input: "a", ...params });
  return {};
}

/** A request that makes no use of the field comes out as one without it. */
const asked = { chat, text, embeddings };
type Api = keyof typeof asked;

function refusal(api: Api, params: Params): string {
  try {
    asked[api](params);
  } catch (error) {
    expect(error).toBeInstanceOf(HearthError);
    expect(error).toMatchObject({ code: "invalid_request" });
    return (error as HearthError).message;
  }
  throw new Error(`${JSON.stringify(params)} was taken`);
}

const ALL = ["chat", "text", "embeddings"] as const;
const BOTH = ["chat", "text"] as const;

describe("fields that change nothing are taken", () => {
  it.each<[readonly Api[], Params]>([
    [ALL, { model: "x", user: "u", metadata: { a: "b" }, store: true, service_tier: "auto", safety_identifier: "s" }],
    [BOTH, { prompt_cache_key: "k", prompt_cache_retention: "24h", cache_prompt: true, id_slot: -1, priority: 1 }],
    [["chat"], { prediction: { type: "content", content: "a" }, request_id: "1", cache_salt: "s" }],
    [
      ["chat"],
      { modalities: ["text"], function_call: "none", functions: [], reasoning_effort: "medium", verbosity: "medium" },
    ],
    [["chat"], { audio: null, web_search_options: undefined, response_format: { type: "text" }, tool_choice: "none" }],
    [["text"], { suffix: null, best_of: 1 }],
    [["text"], { suffix: "" }],
    [BOTH, { ignore_eos: false, min_tokens: 0, skip_special_tokens: true, length_penalty: 1, stop_token_ids: [] }],
    [BOTH, { mirostat: 0, repeat_penalty: 1, n_predict: -1, dynatemp_range: 0, xtc_probability: 0, n_probs: 0 }],
    [
      ["chat"],
      { structured_outputs: null, chat_template_kwargs: null, stream_options: null, parallel_tool_calls: true },
    ],
    [["chat"], { stream: true, stream_options: { include_usage: true, include_obfuscation: false } }],
    [["chat"], { reasoning_format: "auto", tools: [], logprobs: false, top_logprobs: 0 }],
    [["embeddings"], { encoding_format: "float", truncate: false, dimensions: null, normalize: true }],
  ])("of %j: %j", (apis, params) => {
    for (const api of apis) {
      const { top_logprobs, ...found } = asked[api](params);
      expect([found, top_logprobs ?? 0]).toEqual([asked[api]({}), 0]);
    }
  });
});

describe("fields that are not served are refused by name", () => {
  it.each<[readonly Api[], string, unknown]>([
    // OpenAI's
    [["chat"], "audio", { voice: "alloy", format: "wav" }],
    [["chat"], "modalities", ["text", "audio"]],
    [["chat"], "function_call", "auto"],
    [["chat"], "functions", [{ name: "f" }]],
    [["chat"], "web_search_options", {}],
    [["chat"], "reasoning_effort", "high"],
    [["chat"], "verbosity", "low"],
    [["text"], "suffix", "b"],
    [["text"], "best_of", 3],
    [["text"], "messages", messages],
    [["text"], "tools", []],
    [["chat"], "prompt", "a"],
    [["embeddings"], "dimensions", 2],
    [["embeddings"], "temperature", 0],
    // vLLM's
    [BOTH, "guided_json", { type: "object" }],
    [BOTH, "guided_regex", "a"],
    [BOTH, "guided_choice", ["a"]],
    [BOTH, "guided_grammar", "root ::= a"],
    [BOTH, "structural_tag", "{}"],
    [BOTH, "use_beam_search", true],
    [BOTH, "length_penalty", 2],
    [BOTH, "stop_token_ids", [1]],
    [BOTH, "include_stop_str_in_output", true],
    [BOTH, "ignore_eos", true],
    [BOTH, "min_tokens", 5],
    [BOTH, "skip_special_tokens", false],
    [BOTH, "spaces_between_special_tokens", false],
    [BOTH, "truncate_prompt_tokens", 5],
    [BOTH, "prompt_logprobs", 1],
    [BOTH, "allowed_token_ids", [1]],
    [BOTH, "bad_words", ["a"]],
    [BOTH, "logits_processors", ["a"]],
    [BOTH, "thinking_token_budget", 5],
    [["chat"], "echo", true],
    [["chat"], "add_generation_prompt", false],
    [["chat"], "add_special_tokens", true],
    [["chat"], "documents", [{}]],
    [["chat"], "chat_template", "{{ a }}"],
    [["chat"], "include_reasoning", false],
    [["embeddings"], "truncate_prompt_tokens", 5],
    [["embeddings"], "normalize", false],
    // llama.cpp's
    [BOTH, "grammar", "root ::= a"],
    [BOTH, "json_schema", {}],
    [BOTH, "n_predict", 5],
    [BOTH, "n_keep", 5],
    [BOTH, "repeat_penalty", 1.1],
    [BOTH, "mirostat", 2],
    [BOTH, "dynatemp_range", 1],
    [BOTH, "xtc_probability", 0.5],
    [BOTH, "dry_multiplier", 1],
    [BOTH, "top_n_sigma", 1],
    [BOTH, "samplers", ["top_k"]],
    [BOTH, "n_probs", 5],
    [BOTH, "lora", [{ id: 0 }]],
    [BOTH, "t_max_predict_ms", 5],
    [["chat"], "parse_tool_calls", false],
    [["chat"], "thinking_forced_open", true],
    // Nobody's
    [ALL, "temprature", 0],
    [ALL, "toString", 0],
  ])("of %j: %s", (apis, field, value) => {
    for (const api of apis) expect(refusal(api, { [field]: value })).toContain(`: ${field} must be absent`);
  });

  it("within others too", () => {
    expect(refusal("chat", { stream_options: { usage: true } })).toContain("stream_options.usage");
    expect(refusal("chat", { structured_outputs: { regex: "a", whitespace_pattern: " " } })).toContain(
      "whitespace_pattern",
    );
    expect(refusal("chat", { structured_outputs: "a" })).toContain("structured_outputs must be an object");
    expect(text({ n: 2, best_of: 2 })).toEqual(text({ n: 2 }));
  });
});

/** The package's own types of OpenAI's API, all of whose fields somebody has thought of. */
it("knows every field of OpenAI's types", () => {
  const source = readFileSync(join(import.meta.dirname, "fields.test.ts"), "utf8");
  const types: [string, string][] = [
    ["resources/chat/completions/completions.d.ts", "ChatCompletionCreateParamsBase"],
    ["resources/completions.d.ts", "CompletionCreateParamsBase"],
    ["resources/embeddings.d.ts", "EmbeddingCreateParams"],
  ];
  const served = readFileSync(join(import.meta.dirname, "../src/openai.ts"), "utf8");
  for (const [path, name] of types) {
    const file = readFileSync(join(import.meta.dirname, "../../node_modules/openai", path), "utf8");
    const body = new RegExp(`export interface ${name} \\{\\n([^]*?)\\n\\}`).exec(file)?.[1] ?? "";
    const fields = [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, field = ""]) => field);
    expect(fields.length).toBeGreaterThan(4);
    const unknown = fields.filter(
      (field) => !new RegExp(`\\b${field}\\b`).test(source) && !served.includes(`${field}?:`),
    );
    expect(unknown.filter((field) => !["messages", "prompt", "input"].includes(field))).toEqual([]);
  }
});

describe("a value is asked for its type before it goes on", () => {
  it.each<[Api, string, Params]>([
    ["chat", "stream", { stream: "true" }],
    ["chat", "parallel_tool_calls", { parallel_tool_calls: 0 }],
    ["chat", "continue_final_message", { continue_final_message: "yes" }],
    ["chat", "logprobs", { logprobs: 1 }],
    ["text", "echo", { echo: 1 }],
    ["chat", "return_token_ids", { return_token_ids: 1 }],
    ["chat", "chat_template_kwargs", { chat_template_kwargs: "a" }],
    ["chat", "reasoning_format", { reasoning_format: "deepseek-legacy" }],
    ["chat", "stream_options.include_usage", { stream_options: { include_usage: 1 } }],
    ["embeddings", "truncate", { truncate: "left" }],
    [
      "chat",
      "tools[0].function.parameters",
      { tools: [{ type: "function", function: { name: "a", parameters: [] } }] },
    ],
    ["chat", "messages[0].name", { messages: [{ role: "user", content: "", name: 5 }] }],
    ["chat", "messages[0].tool_calls", { messages: [{ role: "assistant", tool_calls: {} }] }],
    ["chat", "messages[0].tool_calls", { messages: [{ role: "user", content: "", tool_calls: [{}] }] }],
    ["chat", "messages[0].function_call", { messages: [{ role: "assistant", content: "", function_call: {} }] }],
    ...['"Beijing"', "[1]", "{", "5"].map((args): [Api, string, Params] => [
      "chat",
      "messages[0].tool_calls[0].function.arguments",
      { messages: [{ role: "assistant", tool_calls: [{ function: { name: "now", arguments: args } }] }] },
    ]),
  ])("%s: %s", (api, field, params) => {
    expect(refusal(api, params)).toContain(`${field} must be`);
  });

  it.each<[unknown, unknown]>([
    ["", {}],
    [undefined, {}],
    [null, {}],
    ["null", {}],
    ['{"a": 1}', { a: 1 }],
    [JSON.stringify('{"a": 1}'), { a: 1 }],
    [{ a: 1 }, { a: 1 }],
  ])("arguments %j are an object for templates", (args, expected) => {
    const call = { id: "c1", type: "function", function: { name: "now", arguments: args } };
    const found = chat({
      messages: [{ role: "assistant", content: null, tool_calls: [call] }, ...messages],
      tools: [],
    });
    const own = toChatRequests(
      { messages: [{ role: "assistant", content: null, tool_calls: [call] }] } as unknown as ChatCompletionCreateParams,
      "hermes",
    );
    expect(own.requests[0]?.messages?.[0]).toEqual({
      role: "assistant",
      content: "",
      tool_calls: [{ ...call, function: { name: "now", arguments: expected } }],
    });
    expect(JSON.stringify(found)).toContain(JSON.stringify(JSON.stringify(expected)).slice(1, -1));
  });

  it.each([
    [{ content: null }, ""],
    [{}, ""],
    [{ content: null, tool_calls: [] }, ""],
    [{ content: null, refusal: "no" }, "no"],
    [{ content: [{ type: "refusal", refusal: "no" }] }, "no"],
    [{ content: null, tool_calls: null, refusal: null, function_call: null, audio: null, annotations: [] }, ""],
  ])("an assistant may have said %j", (message, content) => {
    expect(chat({ messages: [{ role: "assistant", ...message }] })).toEqual({
      messages: [{ role: "assistant", content }],
    });
  });
});

it.each<[Params, unknown]>([
  [{ type: "json_schema", name: "x", schema: { type: "array" } }, { type: "array" }],
  [{ type: "json_object", schema: { type: "array" } }, { type: "array" }],
  [{ type: "json_object", schema: '{"type": "array"}' }, { type: "array" }],
  [{ type: "json_schema", json_schema: { name: "x" } }, undefined],
  [{ type: "json_schema", json_schema: { schema: {} }, schema: {} }, undefined],
  [{ type: "json_object", schema: 5 }, undefined],
  [{ type: "text", schema: {} }, undefined],
])("follows or refuses %j", (response_format, schema) => {
  if (schema === undefined) expect(refusal("chat", { response_format })).toContain("response_format");
  else expect(chat({ response_format }).format).toEqual({ json_schema: schema });
});

describe("ranges are those of the core", () => {
  const ranges = [
    ...rust("crate/src/request.rs").matchAll(
      /within\(\s*"(\w+)",\s*self\.\w+\.unwrap_or\([\d.]+\),\s*(-?[\d.]+),\s*(-?[\d.]+),?\s*\)/g,
    ),
  ].map(([, field = "", from, to]): [string, number, number] => [field, Number(from), Number(to)]);

  it("which are found", () => {
    expect(ranges).toHaveLength(7);
  });

  it.each(ranges)("%s from %d to %d", (field, from, to) => {
    for (const value of [from, to]) expect(chat({ [field]: value })).toMatchObject({ [field]: value });
    for (const value of [from - 0.001, to + 0.001]) expect(refusal("chat", { [field]: value })).toContain(field);
  });

  it("and of all tokens, whatever they are called", () => {
    expect(chat({ top_k: -1 })).toMatchObject({ top_k: 0 });
    expect(refusal("chat", { top_k: -2 })).toContain("top_k");
    expect(refusal("chat", { top_k: 2 ** 32 })).toContain("top_k");
  });
});

describe("roles follow one another as templates ask that know no tools", () => {
  const call = { id: "c", type: "function", function: { name: "now", arguments: "{}" } };
  const calls = { role: "assistant", content: null, tool_calls: [call, call] };
  const result = (content: string): Params => ({ role: "tool", tool_call_id: "c", content });
  const said = (content: string): string => `<tool_response>\n${content}\n</tool_response>`;
  it.each<[Params[], string[][]]>([
    [[calls, result("1"), result("2")], [["user", `${said("1")}\n${said("2")}`]]],
    [[calls, result("1"), { role: "user", content: "And?" }], [["user", `${said("1")}\nAnd?`]]],
    [
      [calls, result("1"), calls, result("2")],
      [["user", said("1")], ["assistant"], ["user", said("2")]],
    ],
    [
      [calls, { role: "user", content: "a" }, { role: "user", content: "b" }],
      [
        ["user", "a"],
        ["user", "b"],
      ],
    ],
  ])("%#", (more, expected) => {
    const found = chat({ messages: [...messages, ...more] }).messages as { role: string; content: string }[];
    const shown = found.slice(2).map(({ role, content }) => (role === "user" ? [role, content] : [role]));
    expect(shown).toEqual(expected);
  });
});
