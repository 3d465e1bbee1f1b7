import { losesNothing, readsCalls, readsInProportion } from "./support.js";

const [OPEN, CLOSE] = ["<|tool_call_start|>", "<|tool_call_end|>"];

readsCalls("pythonic", [
  [
    "calls after text",
    `I look.${OPEN}[weather(city='Paris', days=2), time()]${CLOSE}`,
    {
      content: "I look.",
      calls: [
        { name: "weather", arguments: '{"city": "Paris", "days": 2}' },
        { name: "time", arguments: "{}" },
      ],
    },
  ],
  [
    "every kind of value",
    `${OPEN}[time(a=True, b=None, c=[1, (2, 'x')], d={'k': -1.5e3, "l": false}, e="",)]${CLOSE}`,
    {
      calls: [
        {
          name: "time",
          arguments: '{"a": true, "b": null, "c": [1, [2, "x"]], "d": {"k": -1.5e3, "l": false}, "e": ""}',
        },
      ],
    },
  ],
  [
    "quotes within quotes, escaped or not",
    `${OPEN}[time(a='it's, really', b='it\\'s\\n\\u00e9', c="a 'b'", d='''x'y'''), time(a='def f(): return "a"')]${CLOSE}`,
    {
      calls: [
        { name: "time", arguments: '{"a": "it\'s, really", "b": "it\'s\\né", "c": "a \'b\'", "d": "x\'y"}' },
        { name: "time", arguments: '{"a": "def f(): return \\"a\\""}' },
      ],
    },
  ],
  [
    "calls in JSON",
    `${OPEN}[{"name": "time", "arguments": {"a": 1}}, {"name": "time", "arguments": {}}]${CLOSE}`,
    {
      calls: [
        { name: "time", arguments: '{"a": 1}' },
        { name: "time", arguments: "{}" },
      ],
    },
  ],
  [
    "text after a call",
    `${OPEN}[time()]${CLOSE}\nDone.`,
    { content: "Done.", calls: [{ name: "time", arguments: "{}" }] },
  ],
  ["a list of Python", "[time(x=1)]", { content: "[time(x=1)]" }],
  ["a positional argument", `${OPEN}[time(1)]`, { content: `${OPEN}[time(1)]` }],
  ["a call that is cut off", `${OPEN}[time(a='x`, { content: `${OPEN}[time(a='x` }],
]);

losesNothing("pythonic", [
  OPEN,
  CLOSE,
  `${OPEN}[ta(p='#')]${CLOSE}`,
  `${OPEN}[ta(p='#'), tb(q=["#", {'#': #}])`,
  "ta(p='#' # ', ",
  "ta(p=\"#\\'#",
  "[ta(",
  "'",
  ")",
  "<|tool_call_st",
]);

readsInProportion("pythonic", [OPEN, `${OPEN}[ta(`, `${OPEN}[ta(p='`, "', ", "ta(p='x'),"]);
