/**
 * Tests of every request field of OpenAI, vLLM and llama.cpp: supported, accepted without effect, or rejected by name.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type OpenAI from "openai";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { HearthError } from "../src/core/errors.js";
import { checkFields } from "../src/request/fields.js";
import type {
  ChatCompletionCreateParams,
  ChatCompletionMessage,
  ChatCompletionMessageParam,
} from "../src/api/openai.js";
import { toChatRequests, toTextRequests } from "../src/request/request.js";
import { DEFAULTS, OF_SWITCHED_OFF, REFUSED, SERVED, WITHOUT_EFFECT, type Api, type Row } from "./field-table.js";
import { SAMPLING_RANGES } from "../src/core/contract.generated.js";

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

/** Converters to the core's request. A field without effect must not change the result. */
const asked: Record<Api, (params: Params) => Params> = { chat, text, embeddings };

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

it.each([...WITHOUT_EFFECT, ...OF_SWITCHED_OFF, ...DEFAULTS])(
  "taken without effect: of %j %s %j",
  (apis, field, value) => {
    for (const api of apis) expect(asked[api]({ [field]: value })).toEqual(asked[api]({}));
  },
);

it.each(SERVED)("served: of %j %s %j", (apis, field, value) => {
  for (const api of apis) asked[api]({ [field]: value });
});

describe("fields that are not served are refused by name", () => {
  it.each(REFUSED)("of %j: %s", (apis, field, value) => {
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

const TYPES: Record<Api, [openai: string, name: string, ours: string]> = {
  chat: ["resources/chat/completions/completions.d.ts", "ChatCompletionCreateParamsBase", "ChatCompletionCreateParams"],
  text: ["resources/completions.d.ts", "CompletionCreateParamsBase", "CompletionCreateParams"],
  embeddings: ["resources/embeddings.d.ts", "EmbeddingCreateParams", "EmbeddingCreateParams"],
};
const program = ts.createProgram([join(import.meta.dirname, "../src/api/openai.ts")], {
  lib: ["lib.es2022.d.ts"],
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  strict: true,
  types: [],
});
const APIS = Object.keys(TYPES) as Api[];
const fieldsOf = (api: Api, ...lists: Row[][]): Set<string> =>
  new Set(lists.flat().flatMap(([apis, field]) => (apis.includes(api) ? [field] : [])));

it.each(APIS)("the table has every field of OpenAI's type: %s", (api) => {
  const [path, name] = TYPES[api];
  const file = readFileSync(join(import.meta.dirname, "../../node_modules/openai", path), "utf8");
  const body = new RegExp(`export interface ${name} \\{\\n([^]*?)\\n\\}`).exec(file)?.[1] ?? "";
  const fields = [...body.matchAll(/^ {4}(\w+)\??:/gm)].map(([, field = ""]) => field);
  expect(fields.length).toBeGreaterThan(4);
  expect([...fieldsOf(api, SERVED, WITHOUT_EFFECT, REFUSED)]).toEqual(expect.arrayContaining(fields));
});

it.each(APIS)("the package's type has what is served or taken without effect: %s", (api) => {
  const checker = program.getTypeChecker();
  const files = ["openai", "openai-embeddings"].map((name) => join(import.meta.dirname, `../src/api/${name}.ts`));
  const statements = files.flatMap((file) => [...(program.getSourceFile(file)?.statements ?? [])]);
  const named = statements.find(
    (one) => (ts.isInterfaceDeclaration(one) || ts.isTypeAliasDeclaration(one)) && one.name.text === TYPES[api][2],
  ) as ts.TypeAliasDeclaration;
  const type = checker.getTypeAtLocation(named.name);
  const parts = type.isUnion() ? type.types : [type];
  const ours = new Set(parts.flatMap((part) => checker.getPropertiesOfType(part).map((one) => one.name)));
  expect([...ours].sort()).toEqual([...fieldsOf(api, SERVED, WITHOUT_EFFECT)].sort());
});

describe("a value is asked for its type before it goes on", () => {
  it.each<[Api, string, Params]>([
    ["chat", "stream", { stream: "true" }],
    ["chat", "parallel_tool_calls", { parallel_tool_calls: 0 }],
    ["chat", "continue_final_message", { continue_final_message: "yes" }],
    ["chat", "logprobs", { logprobs: 1 }],
    ["text", "echo", { echo: 1 }],
    ["chat", "return_token_ids", { return_token_ids: 1 }],
    ["chat", "resume_ids", { resume_ids: [0.5] }],
    ["chat", "resume_ids", { resume_ids: [1], n: 2 }],
    ["chat", "resume_ids", { resume_ids: [1], logprobs: true }],
    ["chat", "enable_thinking", { enable_thinking: "no" }],
    ["chat", "thinking_token_budget", { thinking_token_budget: 0 }],
    ["text", "context_shift", { context_shift: 1 }],
    ["text", "n_keep", { n_keep: -1 }],
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
  const ranges = Object.entries(SAMPLING_RANGES).filter(([field]) => field !== "seed");

  it.each(ranges)("%s from %o", (field, { min, max, isInteger }) => {
    const beyond = isInteger ? 1 : 0.001;
    for (const value of [min, max]) expect(chat({ [field]: value })).toMatchObject({ [field]: value });
    // (-1 is a name of all tokens)
    const below = field === "top_k" ? [] : [min - beyond];
    for (const value of [...below, max + beyond]) expect(refusal("chat", { [field]: value })).toContain(field);
  });

  it("and 0 is a probability mass, as at OpenAI and in llama.cpp", () => {
    expect(chat({ top_p: 0 })).toMatchObject({ top_p: 0 });
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

it("the types take what the request code does", () => {
  const params: ChatCompletionCreateParams = {
    messages: [
      { role: "assistant", content: null },
      { role: "assistant", content: null, refusal: "no" },
      { role: "assistant", content: [{ type: "refusal", refusal: "no" }] },
    ],
    reasoning_format: "auto",
    response_format: { type: "json_object", schema: { type: "array" } },
    stream: true,
    stream_options: { include_obfuscation: false },
    user: "u",
  };
  expect(toChatRequests(params, null).requests).toHaveLength(1);
  // The messages that this package and OpenAI's return can be sent back in the next request.
  const answers: (OpenAI.ChatCompletionMessage | ChatCompletionMessage)[] = [
    { role: "assistant", content: null, refusal: null },
  ];
  const history: ChatCompletionMessageParam[] = answers.map(({ role, content, refusal }) => ({
    role,
    content,
    refusal,
  }));
  expect(toChatRequests({ messages: history }, null).requests).toHaveLength(1);
});
