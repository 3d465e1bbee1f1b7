import { expect, it } from "vitest";
import { pieces, readAnswer } from "../read-answer.js";
import { losesNothing, readsCalls, readsInProportion } from "./support.js";

const PARIS = '{"city": "Pa\\"ri}s"}';
const MARKS = {
  tool_style: "cohere" as const,
  thought_marks: { open: "<|START_THINKING|>", close: "<|END_THINKING|>" },
};

readsCalls("cohere", [
  [
    "calls",
    `<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "weather", "parameters": ${PARIS}},\n    {"tool_call_id": "1", "tool_name": "time", "parameters": {}}\n]<|END_ACTION|>`,
    {
      calls: [
        { name: "weather", arguments: PARIS },
        { name: "time", arguments: "{}" },
      ],
    },
  ],
  [
    "another order of members",
    `<|START_ACTION|>[{"parameters": {"a":1}, "tool_name": "time", "tool_call_id": "0"}]<|END_ACTION|>`,
    { calls: [{ name: "time", arguments: '{"a":1}' }] },
  ],
  ["an answer", "<|START_RESPONSE|>It is <b>hot</b>.<|END_RESPONSE|>", { content: "It is <b>hot</b>." }],
  ["an answer in the later marks", "<|START_TEXT|>5 < 6<|END_TEXT|>", { content: "5 < 6" }],
]);

it("has no marks around answers without tools, and thoughts apart", () => {
  const text = "<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>Yes<|END_RESPONSE|>";
  for (const size of [1, 3, 100]) {
    const found = readAnswer(pieces(text, size), { style: MARKS, tools: [] });
    expect(found).toEqual({ reasoning: "Hm.", content: "Yes", calls: [] });
  }
});

losesNothing("cohere", [
  "<|START_ACTION|>",
  "<|END_ACTION|>",
  "<|START_ACTION|>[",
  '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "ta", "parameters": {"p": "#"}}]<|END_ACTION|>',
  '{"tool_name": "#", "name": "#"}',
  "<|START_RESPONSE|>#<|END_RESPONSE|>",
  "<|START_",
  "<|END_TEXT|>",
]);

readsInProportion("cohere", ["<", "<|START_RESPONSE|>", "<|START_ACTION|>["]);
