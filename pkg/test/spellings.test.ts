/** Tests of the various forms in which models write calls and thoughts, and of text that only resembles them. */
import { describe, expect, it } from "vitest";
import type { ModelStyle } from "../src/request/tools.js";
import { pieces, readAnswer, tool, type Read, type Reading } from "./read-answer.js";

const tools = [
  tool("a", { x: { type: "integer" } }),
  tool("b", { y: { type: "integer" } }),
  tool("get_weather", {
    city: { type: "string" },
    days: { type: "integer" },
    at: { anyOf: [{ type: "string" }, { type: "null" }] },
    where: { type: "array", items: { type: "number" } },
    exact: { type: "boolean" },
  }),
];

type Case = [text: string, expected: Partial<Read>, more?: Partial<Reading>];

function check(style: ModelStyle, cases: Case[]): void {
  it.each(cases)("%j", (text, expected, more) => {
    for (const size of [1, 2, 3, 7, 10_000]) {
      const found = readAnswer(pieces(text, size), { style, tools, ...more });
      expect({ size, ...found }).toEqual({ size, content: "", reasoning: "", calls: [], ...expected });
    }
  });
}

const call = (name: string, args = "{}"): Read["calls"][number] => ({ name, arguments: args });

describe("what is no call after all stays in the answer", () => {
  const python = "<tool_call>\n{'name': 'a', 'arguments': {'x': 'y'}}\n</tool_call>";
  check("hermes", [
    [python, { content: python }],
    ['Sure.\n<tool_call>\n{"name": "a', { content: 'Sure.\n<tool_call>\n{"name": "a' }],
    ['<tool_call>{"name": "a", "arguments": ', { content: '<tool_call>{"name": "a", "arguments": ' }],
    ["The tag <tool_call> opens a call.", { content: "The tag <tool_call> opens a call." }],
    ['<tool_call>{"city": "Oslo"}</tool_call>', { content: '<tool_call>{"city": "Oslo"}</tool_call>' }],
    ["<tool_call>\n", { content: "<tool_call>\n" }],
    ["Write <function=a> and so on.", { content: "Write <function=a> and so on." }],
    ["<function=a>\nmy\n</function> end", { content: "<function=a>\nmy\n</function> end" }],
  ]);
  check("mistral", [
    ["[TOOL_CALLS]hello there", { content: "[TOOL_CALLS]hello there" }],
    ["[TOOL_CALLS][1, 2]", { content: "[TOOL_CALLS][1, 2]" }],
    ["[TOOL_CALLS]a[ARGS]x y", { content: "[TOOL_CALLS]a[ARGS]x y" }],
  ]);
  check("llama", [
    ["<|python_tag|>print('hi')", { content: "<|python_tag|>print('hi')" }],
    ["Use [1] and {x}: [{y}]", { content: "Use [1] and {x}: [{y}]" }],
    ['{"a": {"name": "a", "parameters": {}}} is one', { content: '{"a": {"name": "a", "parameters": {}}} is one' }],
    ['{"name": "a", "parameters": 5}', { content: '{"name": "a", "parameters": 5}' }],
  ]);
  check("harmony", [
    ["Hello there", { content: "Hello there" }],
    ["Hello there<|end|>", { content: "Hello there" }],
    ["x".repeat(1000), { content: "x".repeat(1000) }],
    ["Well.<|channel|>final<|message|>Yes", { content: "Well.finalYes" }],
    ["<|channel|>commentary to=functions.a<|message|>print(1)<|call|>", { content: "print(1)" }],
    ["<|channel|>analysis<|message|>Hm.<|end|>So it is", { reasoning: "Hm.", content: "So it is" }],
  ]);
});

describe("marks that belong to a call go with it", () => {
  check("mistral", [
    ['[TOOL_CALLS][{"name": "a", "arguments": {}}]\n\nDone [1].', { content: "Done [1].", calls: [call("a")] }],
    ["[TOOL_CALLS]a[ARGS]{} Done {x}", { content: "Done {x}", calls: [call("a")] }],
  ]);
  check("hermes", [
    ['<tool_call>\n{"name": "a", "arguments": {"x": 1}}}\n</tool_call>', { calls: [call("a", '{"x": 1}')] }],
    // The object's closing brace is missing.
    [
      '<tool_call>{"name": "a", "arguments": {"x": 1}</tool_call>\nDone.',
      { content: "Done.", calls: [call("a", '{"x": 1}')] },
    ],
    ['<tool_call>{"name": "a", "arguments": {}, "id": "7"}</tool_call>', { calls: [call("a")] }],
    [
      '<tool_call>{"name": "a", "arguments": {}, "why": "just so"}</tool_call>',
      { content: ', "why": "just so"}', calls: [call("a")] },
    ],
  ]);
});

describe("arguments are an object", () => {
  check("hermes", [
    [String.raw`<tool_call>{"name": "a", "arguments": "{\"x\": 1}"}</tool_call>`, { calls: [call("a", '{"x": 1}')] }],
    ['<tool_call>{"name": "a", "arguments": null}</tool_call>', { calls: [call("a")] }],
    ['<tool_call>{"name": "a", "arguments": ""}</tool_call>', { calls: [call("a")] }],
    ['<tool_call>{"arguments": null, "name": "a"}</tool_call>', { calls: [call("a")] }],
    ["<tool_call>[1]</tool_call>", { content: "<tool_call>[1]</tool_call>" }],
    [
      '<tool_call>{"name": "a", "arguments": [1]}</tool_call>',
      { content: '<tool_call>{"name": "a", "arguments": [1]}</tool_call>' },
    ],
  ]);
  check("llama", [[String.raw`{"name": "a", "parameters": "{\"x\": 1}"}`, { calls: [call("a", '{"x": 1}')] }]]);
  check("mistral", [["[TOOL_CALLS]a[ARGS]null", { calls: [call("a")] }]]);
  check("harmony", [
    ["<|channel|>commentary to=functions.a<|message|><|call|>", { calls: [call("a")] }],
    ["<|channel|>commentary to=a <|constrain|>json<|message|>null<|call|>", { calls: [call("a")] }],
  ]);
});

describe("calls in every spelling of a family", () => {
  const paris = call("get_weather", '{"city": "Paris", "days": 3}');
  const xml =
    "<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>";
  const typed =
    "<function=get_weather>\n<parameter=city>\n7\n</parameter>\n<parameter=days>\nsoon\n</parameter>\n" +
    "<parameter=at>\nnull\n</parameter>\n<parameter=where>\n[1.50]\n</parameter>\n<parameter=exact>True</parameter>\n" +
    "<parameter=more>\ntwo\nlines\n</parameter>\n</function>";
  const args = '{"city": "7", "days": "soon", "at": null, "where": [1.50], "exact": true, "more": "two\\nlines"}';
  for (const style of ["hermes", "xml"] as const) {
    check(style, [
      [`I'll check.\n<tool_call>\n${xml}\n</tool_call>`, { content: "I'll check.", calls: [paris] }],
      [`I'll check.\n${xml}\n</tool_call>`, { content: "I'll check.", calls: [paris] }],
      [`${xml}\n${xml} Done.`, { content: "Done.", calls: [paris, paris] }],
      [`<tool_call>${typed}</tool_call>`, { calls: [call("get_weather", args)] }],
      ["<tool_call>\n<function=a>\n</function>\n</tool_call>", { calls: [call("a")] }],
      [
        '<|tool_call|>[{"name": "a", "arguments": {}}, {"name": "b", "arguments": {}}]',
        { calls: [call("a"), call("b")] },
      ],
    ]);
  }
  const both = [call("a", '{"x": 1}'), call("b", '{"y": 2}')];
  check("llama", [
    ['[{"name": "a", "parameters": {"x": 1}}, {"name": "b", "parameters": {"y": 2}}]', { calls: both }],
    [
      'Let me look.\n\n{"name": "a", "parameters": {"x": 1}}\n{"name": "b", "parameters": {"y": 2}}',
      { content: "Let me look.", calls: both },
    ],
    ['{"type": "function", "function": {"name": "a", "parameters": {"x":1}}}', { calls: [call("a", '{"x":1}')] }],
    ['{"type": "function", "name": "a", "parameters": {"x": 1}}', { calls: [call("a", '{"x": 1}')] }],
    ['{"function": "a", "parameters": {"x":1}}', { calls: [call("a", '{"x":1}')] }],
    [
      '<|python_tag|>brave_search.call(query="weather (in \\"Paris\\")", n=3, safe=True)',
      { calls: [call("brave_search", '{"query":"weather (in \\"Paris\\")","n":3,"safe":true}')] },
    ],
    ['<function=a>{"x": 1}</function> Done.', { content: "Done.", calls: [call("a", '{"x": 1}')] }],
  ]);
});

it("an answer in a format is no thought, also where the prompt opens thoughts", () => {
  const params = { response_format: { type: "json_object" as const } };
  expect(readAnswer(['{"a":', "1}"], { style: "hermes", tools: [], inThoughts: true, params })).toMatchObject({
    content: '{"a":1}',
    reasoning: "",
  });
  const call = ['<tool_call>\n{"name": "a", "arguments": {"x": 1}}\n</tool_call>'];
  const forced = { tool_choice: "required" as const };
  expect(readAnswer(call, { style: "hermes", tools: [tool("a")], inThoughts: true, params: forced })).toMatchObject({
    calls: [{ name: "a", arguments: '{"x": 1}' }],
    reasoning: "",
  });
});

describe("thoughts in the marks that a template spells", () => {
  const other = { tool_style: null, thought_marks: { open: "<seed:think>", close: "</seed:think>" } };
  check("mistral", [
    ["[THINK]hm, let me see[/THINK]The answer is 4.", { reasoning: "hm, let me see", content: "The answer is 4." }],
    ['[THINK]hm[/THINK][TOOL_CALLS]a[ARGS]{"x": 1}', { reasoning: "hm", calls: [call("a", '{"x": 1}')] }],
    ["hm[/THINK]4", { reasoning: "hm", content: "4" }, { inThoughts: true }],
  ]);
  check(other, [
    ["<seed:think>hm</seed:think>4", { reasoning: "hm", content: "4" }],
    ["<think>hm</think>4", { content: "<think>hm</think>4" }],
  ]);
  check("hermes", [
    ["<think>\nhm\n</think>\n\nYes", { reasoning: "hm\n", content: "Yes" }, { inThoughts: true }],
    ["<think>\n<think>\nhm\n</think>\n\nYes", { reasoning: "hm\n", content: "Yes" }],
    ["hm <think> hm</think>Yes", { reasoning: "hm <think> hm", content: "Yes" }, { inThoughts: true }],
  ]);
});
