import { losesNothing, readsCalls, readsInProportion } from "./support.js";

const PARIS = '{"city": "Pa\\"ri}s"}';

readsCalls("llama", [
  ["a call", `{"name": "weather", "parameters": ${PARIS}}`, { calls: [{ name: "weather", arguments: PARIS }] }],
  [
    "a call after the tag",
    `<|python_tag|>{"name": "time", "parameters": {}}`,
    { calls: [{ name: "time", arguments: "{}" }] },
  ],
  [
    "several calls",
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
    '{"name": "Anna", "parameters": 5} and so on',
    { content: '{"name": "Anna", "parameters": 5} and so on' },
  ],
  ["other JSON", '{"answer": [1, 2]}', { content: '{"answer": [1, 2]}' }],
  ["JSON that is cut off", '{"answer": [1', { content: '{"answer": [1' }],
  ["text", "It is {hot}.", { content: "It is {hot}." }],
  ["a built-in tool without the tag", "[time.call(x=1)]", { content: "[time.call(x=1)]" }],
  [
    "JSON after a call, without a separator",
    '<|python_tag|>{"name": "time", "parameters": {}} {"name": "Anna", "parameters": {}}',
    { content: '{"name": "Anna", "parameters": {}}', calls: [{ name: "time", arguments: "{}" }] },
  ],
]);

losesNothing("llama", [
  "<|python_tag|>",
  '<|python_tag|>ta.call(p="#")',
  "ta.call(#",
  "; ",
  '<function=ta>{"p": "#"}</function>',
  "[",
]);

readsInProportion("llama", ["{", '{"a": ', "[", '<|python_tag|>ta.call(p="x", ']);
