import { losesNothing, readsCalls, readsInProportion } from "./support.js";

const PARIS = '{"city": "Pa\\"ri}s"}';

readsCalls("mistral", [
  [
    "a list",
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
    "JSON after a call, without a separator",
    '[TOOL_CALLS]time[ARGS]{} {"name": "Anna", "arguments": {}}',
    { content: '{"name": "Anna", "arguments": {}}', calls: [{ name: "time", arguments: "{}" }] },
  ],
]);

readsCalls("mistral_args", [
  [
    "calls after text",
    `Well.[TOOL_CALLS]weather[ARGS]${PARIS}[TOOL_CALLS]time[ARGS]{}`,
    {
      content: "Well.",
      calls: [
        { name: "weather", arguments: PARIS },
        { name: "time", arguments: "{}" },
      ],
    },
  ],
]);

losesNothing("mistral", [
  "[TOOL_CALLS]",
  "[TOOL_CALLS][",
  "ta[ARGS]",
  '[TOOL_CALLS]ta[ARGS]{"p": "#"}',
  "[TOOL_CALLS]ta#",
  "[TOOL_",
  "null",
]);

readsInProportion("mistral", ["[TOOL_CALLS]["]);
