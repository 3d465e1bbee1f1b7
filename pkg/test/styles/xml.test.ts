import { expect, it } from "vitest";
import { STYLES } from "../../src/answer/styles/index.js";
import { tool } from "../read-answer.js";
import { losesNothing, readsCalls, TAGGED } from "./support.js";

readsCalls("xml", [
  [
    "a call after text",
    "I look.\n\n<tool_call>\n<function=weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>",
    { content: "I look.", calls: [{ name: "weather", arguments: '{"city": "Paris"}' }] },
  ],
]);

losesNothing("xml", TAGGED);

it("refuses schemas that its format cannot follow", () => {
  const { function: called } = tool("f");
  const parameters = { anyOf: [{ required: ["a"] }, { required: ["b"] }] };
  const either = { type: "function" as const, function: { ...called, parameters } };
  expect(() => STYLES.xml.format([either], true)).toThrow("found anyOf");
});
