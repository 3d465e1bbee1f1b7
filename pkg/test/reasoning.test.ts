import { describe, expect, it } from "vitest";
import { ReasoningSplit, type Parts } from "../src/answer/reasoning.js";

/** Feeds the text in pieces of `size` characters. */
function split(text: string, size: number): Parts {
  const splitter = new ReasoningSplit();
  const all: Parts = { reasoning: "", content: "" };
  for (let at = 0; at < Math.max(text.length, 1); at += size) {
    const { reasoning, content } = splitter.feed(text.slice(at, at + size), at + size >= text.length);
    all.reasoning += reasoning;
    all.content += content;
  }
  return all;
}

describe("ReasoningSplit", () => {
  it.each([
    ["thoughts and an answer", "<think>\nHm, 2 < 3.\n</think>\n\nYes.", "Hm, 2 < 3.\n", "Yes."],
    ["space before the tag", "\n <think>a</think>b", "a", "b"],
    ["no thoughts", "Yes, <think> is a tag.", "", "Yes, <think> is a tag."],
    ["thoughts that are cut off", "<think>So we have </thin", "So we have </thin", ""],
    ["an empty thought", "<think>\n\n</think>\n\nYes.", "\n", "Yes."],
    ["a tag within a line", "<think>a</think>b<think>c</think>", "a", "b<think>c</think>"],
    ["a second thought", "<think>a</think>b\n\n<think>\nc</think>\n\nd", "ac", "b\n\nd"],
    ["thoughts one after the other", "<think>a</think>\n <think>b</think>c", "ab", "c"],
    ["a second thought that is cut off", "<think>a</think>b\n<think>c</thi", "ac</thi", "b\n"],
    ["a thought behind a call", "<think>a</think><tool_call>{}</tool_call><think>b", "ab", "<tool_call>{}</tool_call>"],
    [
      "a tag within a call",
      "<think>a</think><tool_call>f\n<arg_value>\n<think>b</arg_value></tool_call>\nc",
      "a",
      "<tool_call>f\n<arg_value>\n<think>b</arg_value></tool_call>\nc",
    ],
    ["a tag in code", "<think>a</think>```\n<think>b\n```\n<think>c", "ac", "```\n<think>b\n```\n"],
    ["a later tag without an earlier thought", "Tags:\n<think>\n</think>", "", "Tags:\n<think>\n</think>"],
    ["what only looks like a tag", "<thin", "", "<thin"],
    ["a tag alone", "<think>", "", ""],
    ["nothing", "", "", ""],
    ["spaces", "  ", "", "  "],
  ])("%s", (_name, text, reasoning, content) => {
    for (let size = 1; size <= text.length + 1; size++) {
      expect([size, split(text, size)]).toEqual([size, { reasoning, content }]);
    }
  });

  it("finds later thoughts by the template's marks, whatever the answer begins with", () => {
    const splitter = new ReasoningSplit(false, { open: "<think>", close: "</think>" });
    expect(splitter.feed("I look.\n<think>Hm.</think>\nYes.", true)).toEqual({
      reasoning: "Hm.",
      content: "I look.\nYes.",
    });
  });
});
