import { expect, it } from "vitest";
import { pieces, readAnswer, tool } from "../read-answer.js";
import { losesNothing, readsCalls, readsInProportion, TAGGED } from "./support.js";

const call = (name: string, ...pairs: string[]): string => {
  const tags = pairs.map((text, i) => (i % 2 === 0 ? `<arg_key>${text}</arg_key>` : `<arg_value>${text}</arg_value>`));
  return `<tool_call>${[name, ...tags].join("\n")}\n</tool_call>`;
};

readsCalls("glm", [
  [
    "a call after text",
    `I look.\n${call("weather", "city", "Paris", "day", "2")}`,
    { content: "I look.", calls: [{ name: "weather", arguments: '{"city": "Paris", "day": "2"}' }] },
  ],
  [
    "a call without line breaks",
    "<tool_call>weather<arg_key>city</arg_key><arg_value>Paris</arg_value></tool_call>",
    { calls: [{ name: "weather", arguments: '{"city": "Paris"}' }] },
  ],
  [
    "several calls, one without arguments",
    `${call("time")}\n${call("weather", "city", "Rome")}\nDone.`,
    {
      content: "Done.",
      calls: [
        { name: "time", arguments: "{}" },
        { name: "weather", arguments: '{"city": "Rome"}' },
      ],
    },
  ],
  [
    "tags in a value",
    call("weather", "city", "<b>\n</tool_call><arg_key>"),
    { calls: [{ name: "weather", arguments: String.raw`{"city": "<b>\n</tool_call><arg_key>"}` }] },
  ],
  [
    "a call as Hermes writes it",
    '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>',
    { calls: [{ name: "weather", arguments: '{"city": "Paris"}' }] },
  ],
  [
    "a thought after a call",
    `<think>a</think>${call("time")}\n<think>Now?</think>\nNoon.`,
    { content: "Noon.", reasoning: "aNow?", calls: [{ name: "time", arguments: "{}" }] },
  ],
  ["what is no call", "<tool_call>time is money</tool_call>", { content: "<tool_call>time is money</tool_call>" }],
]);

losesNothing("glm", [
  ...TAGGED,
  "<tool_call>ta\n<arg_key>p</arg_key>\n<arg_value>#</arg_value>\n</tool_call>",
  "<tool_call>tb</tool_call>",
  "<tool_call>ta",
  "<arg_key>#</arg_key>",
  "<arg_value>#</arg_value>",
  "<arg_value>",
  "<arg_ke",
]);

readsInProportion("glm", ["<tool_call>", "<tool_call>ta<arg_key>p</arg_key><arg_value>", "<arg_value></arg_value>"]);

it("reads values by their types", () => {
  const found = readAnswer(pieces(call("f", "n", "2", "s", "2", "l", '["a"]', "b", "true"), 5), {
    style: "glm",
    tools: [tool("f", { n: { type: "integer" }, s: { type: "string" }, l: { type: "array" }, b: { type: "boolean" } })],
  });
  expect(found.calls).toEqual([{ name: "f", arguments: '{"n": 2, "s": "2", "l": ["a"], "b": true}' }]);
});
