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
    ["a second tag", "<think>a</think>b<think>c</think>", "a", "b<think>c</think>"],
    ["what only looks like a tag", "<thin", "", "<thin"],
    ["a tag alone", "<think>", "", ""],
    ["nothing", "", "", ""],
    ["spaces", "  ", "", "  "],
  ])("%s", (_name, text, reasoning, content) => {
    for (let size = 1; size <= text.length + 1; size++) {
      expect([size, split(text, size)]).toEqual([size, { reasoning, content }]);
    }
  });
});
