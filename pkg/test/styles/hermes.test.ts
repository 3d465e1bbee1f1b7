import { losesNothing, readsCalls, readsInProportion, TAGGED } from "./support.js";

const PARIS = '{"city": "Pa\\"ri}s"}';

readsCalls("hermes", [
  ["no call", "Just <b>text</b> {}.", { content: "Just <b>text</b> {}." }],
  [
    "a call",
    `<tool_call>\n{"name": "weather", "arguments": ${PARIS}}\n</tool_call>`,
    { calls: [{ name: "weather", arguments: PARIS }] },
  ],
  [
    "calls after text",
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
    "text after a call",
    '<tool_call>{"name": "time", "arguments": {}}</tool_call>\nDone.',
    { content: "Done.", calls: [{ name: "time", arguments: "{}" }] },
  ],
  [
    "arguments first",
    '<tool_call>{"arguments": {"a": [1]}, "name": "time"}</tool_call>',
    { calls: [{ name: "time", arguments: '{"a":[1]}' }] },
  ],
  [
    "a call that is cut off",
    '<tool_call>{"name": "weather", "arguments": {"city": "Pa',
    { calls: [{ name: "weather", arguments: '{"city": "Pa' }] },
  ],
  ["a tag that is none", "a <tool_ca> b <tool_call", { content: "a <tool_ca> b <tool_call" }],
]);

losesNothing("hermes", TAGGED);

readsInProportion("hermes", ["\n", "<tool_call>", '<tool_call>{"name": "', "<function=ta>x"]);
