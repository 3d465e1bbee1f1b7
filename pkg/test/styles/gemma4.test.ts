import { expect, it } from "vitest";
import { pieces, readAnswer, tool } from "../read-answer.js";
import { losesNothing, readsCalls, readsInProportion } from "./support.js";

const Q = '<|"|>';

readsCalls("gemma4", [
  [
    "a call after text",
    `I look.<|tool_call>call:weather{city:${Q}Pa"ri}s, <b>${Q},days:[1,-2.5],deep:{a:true,b:null}}<tool_call|>`,
    {
      content: "I look.",
      calls: [
        { name: "weather", arguments: '{"city": "Pa\\"ri}s, <b>", "days": [1, -2.5], "deep": {"a": true, "b": null}}' },
      ],
    },
  ],
  [
    "several calls",
    "<|tool_call>call:time{}<tool_call|><|tool_call>call:time{}<tool_call|>",
    {
      calls: [
        { name: "time", arguments: "{}" },
        { name: "time", arguments: "{}" },
      ],
    },
  ],
  [
    "quoted keys, JSON's strings and words without quotes",
    `<|tool_call>call:time{${Q}a b${Q}: "x\\n}",b:Paris, c : True}<tool_call|>`,
    { calls: [{ name: "time", arguments: '{"a b": "x\\n}", "b": "Paris", "c": true}' }] },
  ],
  [
    "a call in JSON",
    '<|tool_call>{"name": "time", "arguments": {"a": 1}}<tool_call|>',
    { calls: [{ name: "time", arguments: '{"a": 1}' }] },
  ],
  [
    "a call that is cut off",
    `<|tool_call>call:weather{city:${Q}Pa`,
    { content: `<|tool_call>call:weather{city:${Q}Pa` },
  ],
  ["a key twice", "<|tool_call>call:time{a:1,a:2}", { content: "<|tool_call>call:time{a:1,a:2}" }],
  ["a missing value", "<|tool_call>call:time{a:}", { content: "<|tool_call>call:time{a:}" }],
  ["other brackets", "<|tool_call>call:time{a:[1}]}", { content: "<|tool_call>call:time{a:[1}]}" }],
]);

losesNothing("gemma4", [
  "<|tool_call>",
  "<tool_call|>",
  `<|tool_call>call:ta{p:${Q}#${Q}}<tool_call|>`,
  `<|tool_call>call:ta{p:${Q}#`,
  `call:ta{#:"#",q:[{r:#}]}`,
  "<|tool_call>call:#{}",
  "<|tool_call>call:ta",
  Q,
  "<|to",
  "call:",
]);

readsInProportion("gemma4", ["<|tool_call>", "<|tool_call>call:ta{", Q, `{a:`, "<|tool_call>call:ta{p:<|"]);

it("keeps thoughts apart from calls", () => {
  const style = { tool_style: "gemma4" as const, thought_marks: { open: "<|channel>thought", close: "<channel|>" } };
  const text = "<|channel>thought\nHm.\n<channel|>I look.<|tool_call>call:time{}<tool_call|>";
  for (const size of [1, 3, 200]) {
    const found = readAnswer(pieces(text, size), { style, tools: [tool("time")] });
    expect(found).toEqual({ reasoning: "Hm.\n", content: "I look.", calls: [{ name: "time", arguments: "{}" }] });
    // Large models write an empty thought by themselves.
    const empty = readAnswer(pieces("<|channel>thought\n<channel|>Yes", size), { style, tools: [] });
    expect(empty).toEqual({ reasoning: "", content: "Yes", calls: [] });
  }
});
