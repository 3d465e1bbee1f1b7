/** Tests that every style must pass, for its own test file to call. */
import { expect, it } from "vitest";
import { STYLES } from "../../src/answer/styles/index.js";
import type { ToolStyle } from "../../src/core/wasm-contract.js";
import { pieces, randomFrom, readAnswer, tool, type Read } from "../read-answer.js";

/** Tests that each text is read as expected, wherever it is cut; content, thoughts and calls are empty by default. */
export function readsCalls(style: ToolStyle, cases: [name: string, text: string, expected: Partial<Read>][]): void {
  const tools = [tool("weather"), tool("time")];
  it.each(cases)("reads %s", (_name, text, expected) => {
    for (const size of [1, 2, 3, 7, 10_000]) {
      const found = readAnswer(pieces(text, size), { style, tools });
      expect({ size, ...found }).toEqual({ size, content: "", reasoning: "", calls: [], ...expected });
    }
  });
}

/** Tools that the fragments call. */
const TOOLS = [tool("ta", { p: { type: "string" } }), tool("tb")];

/** Fragments that answers in every style are built from. */
const COMMON = [
  "# ",
  "#, {#} ",
  "\n\n# [#]. ",
  "\n",
  " ",
  '{"#": ["#", {"#": 1}]}',
  '{"name": "ta", "#": "#"}',
  '{"name": "ta", "arguments": {"p": "#"}}',
  '{"name": "tb", "parameters": {"#": "#"}}',
  '{"name": "#", "parameters": {"#": "#"}}',
  '{"name": "ta", "arguments": {"p": "#"}, "#": "#"}',
  '{"name": "ta", "arguments": {"p": "#"',
  '{"arguments": {"p": "#"}, "name": "ta"}',
  '{"name": "ta", "arguments": "#"}',
  String.raw`{"name": "ta", "arguments": "{\"p\": \"#\"}"}`,
  '{"name": "ta", "arguments": [#]}',
  "{'name': 'ta', 'arguments': {'p': '#'}}",
  '{"name": "#',
  '"',
  "{",
  "}",
  "]",
  "[",
  ", ",
  "<",
];
const THOUGHTS = [
  "<think>",
  "</think>",
  "<think>#</think>",
  "\n<think>\n#</think>\n\n",
  "[THINK]#[/THINK]",
  "<thi",
  "[/THINK]",
];

/** Fragments of calls between tags, for each style that reads them. */
export const TAGGED = [
  "<tool_call>",
  "</tool_call>",
  "<tool_call>\n",
  "\n</tool_call>",
  "<function=ta>\n<parameter=p>\n#\n</parameter>\n</function>",
  "<function=ta>",
  "<parameter=p>#",
  "</function>",
  "<tool_",
  "<function=#",
  "<|tool_call|>[",
];

/** Joins fragments that are drawn from these lists. */
function written(lists: string[][], random: (n: number) => number): { text: string; words: string[] } {
  const words: string[] = [];
  const parts = Array.from({ length: 1 + random(8) }, () => {
    const from = lists[random(lists.length)] ?? [];
    return (from[random(from.length)] ?? "").replace(/#/g, () => {
      words.push(`w${String(words.length)}q`);
      return words.at(-1) ?? "";
    });
  });
  return { text: parts.join(""), words };
}

/**
 * Tests that nothing of an answer is lost, whatever its calls, channels and marks look like. Answers are built from
 * these fragments, in which `#` becomes a word that occurs once; everything else is marks and syntax.
 */
export function losesNothing(style: ToolStyle, fragments: string[]): void {
  const { wrapsAnswers = false } = STYLES[style];
  const lists = [COMMON, fragments, wrapsAnswers ? [] : THOUGHTS];
  it("loses nothing", () => {
    const random = randomFrom(7);
    for (let round = 0; round < 400; round++) {
      const { text, words } = written(lists, random);
      const inThoughts = !wrapsAnswers && random(4) === 0;
      const cut: string[] = [];
      for (let at = 0; at < text.length;) {
        const size = 1 + random(random(2) === 0 ? 4 : 40);
        cut.push(text.slice(at, at + size));
        at += size;
      }
      const found = readAnswer(cut.length > 0 ? cut : [""], { style, tools: TOOLS, inThoughts });
      const said = JSON.stringify([found.content, found.reasoning, found.calls]);
      const counts = words.map((word) => [word, said.split(word).length - 1]);
      expect({ text, counts }).toEqual({ text, counts: words.map((word) => [word, 1]) });
      // The positions of the cuts make no difference.
      const whole = readAnswer([text], { style, tools: TOOLS, inThoughts });
      expect({ text, ...found }).toEqual({ text, ...whole });
      if (found.calls.length === 0) {
        const marks = /<\/?think>|\[\/?THINK\]|<\|\w+\|>|\s+/g;
        const rest = (found.reasoning + found.content).replace(marks, "");
        // (later thoughts come before the text in front of them)
        const letters = (of: string): string => Array.from(of).sort().join("");
        if (!wrapsAnswers)
          expect({ text, rest: letters(rest) }).toEqual({ text, rest: letters(text.replace(marks, "")) });
      }
    }
  }, 60_000);
}

/** Tests that the time to read repetitions of a fragment grows no faster than their number. */
export function readsInProportion(style: ToolStyle, fragments: string[]): void {
  it.each(fragments)(
    "reads %j as often as one likes in proportion",
    (fragment) => {
      const text = fragment.repeat(Math.ceil(160_000 / fragment.length));
      const time = (length: number, size: number): number => {
        const cut = pieces(text.slice(0, length), size);
        const begin = performance.now();
        readAnswer(cut, { style, tools: TOOLS });
        return performance.now() - begin;
      };
      // Quadratic work would take sixteen times as long for four times the text. Several attempts, since other programs
      // may disturb a measurement.
      const isInProportion = (length: number, size: number): boolean => {
        const quarter = Math.max(10, time(length / 4, size));
        return time(length, size) < 11 * quarter;
      };
      for (const size of [1, text.length]) {
        const length = size === 1 ? 40_000 : text.length;
        expect([1, 2, 3, 4, 5].some(() => isInProportion(length, size))).toBe(true);
      }
    },
    60_000,
  );
}
