import { losesNothing, readsCalls, readsInProportion } from "./support.js";

const PARIS = '{"city": "Pa\\"ri}s"}';

readsCalls("granite", [
  [
    "a list",
    `<|tool_call|>[{"name": "weather", "arguments": ${PARIS}}, {"name": "time", "arguments": {}}]`,
    {
      calls: [
        { name: "weather", arguments: PARIS },
        { name: "time", arguments: "{}" },
      ],
    },
  ],
]);

readsCalls("phi", [
  [
    "a list between marks",
    `I look.<|tool_call|>[{"type": "function", "function": {"name": "weather", "arguments": ${PARIS}}}]<|/tool_call|>`,
    { content: "I look.", calls: [{ name: "weather", arguments: PARIS.replace(": ", ":") }] },
  ],
  [
    "an object between marks",
    `<|tool_call|>{"name": "weather", "arguments": ${PARIS}}<|/tool_call|>`,
    { calls: [{ name: "weather", arguments: PARIS }] },
  ],
  [
    "a list after a word",
    `functools[{"name": "time", "arguments": {}}]`,
    { calls: [{ name: "time", arguments: "{}" }] },
  ],
  ["the word alone", "import functools; functools[0]", { content: "import functools; functools[0]" }],
]);

losesNothing("phi", [
  "<|tool_call|>",
  "<|/tool_call|>",
  "functools[",
  '<|tool_call|>[{"name": "ta", "arguments": {"p": "#"}}]<|/tool_call|>',
  "funct",
  "<|tool_",
]);

readsInProportion("phi", ["<|tool_call|>", "functools[", "<|tool_call|>["]);
