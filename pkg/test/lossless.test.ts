/** Tests that no model output is lost, whatever its calls, channels and marks look like. */
import { expect, it } from "vitest";
import type { ToolStyle } from "../src/core/wasm-contract.js";
import { pieces, randomFrom, readAnswer, tool } from "./read-answer.js";

const tools = [tool("ta", { p: { type: "string" } }), tool("tb")];

/** Building blocks of answers. `#` becomes a word that occurs once; everything else is marks and syntax. */
const FRAGMENTS: Record<string, string[]> = {
  all: [
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
  ],
  think: ["<think>", "</think>", "<think>#</think>", "[THINK]#[/THINK]", "<thi", "[/THINK]"],
  hermes: [
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
  ],
  llama: [
    "<|python_tag|>",
    '<|python_tag|>ta.call(p="#")',
    "ta.call(#",
    "; ",
    '<function=ta>{"p": "#"}</function>',
    "[",
  ],
  mistral: [
    "[TOOL_CALLS]",
    "[TOOL_CALLS][",
    "ta[ARGS]",
    '[TOOL_CALLS]ta[ARGS]{"p": "#"}',
    "[TOOL_CALLS]ta#",
    "[TOOL_",
    "null",
  ],
  harmony: [
    "<|channel|>final<|message|>#",
    "<|channel|>analysis<|message|>#<|end|>",
    "<|start|>assistant",
    '<|start|>assistant<|channel|>commentary to=functions.ta <|constrain|>json<|message|>{"p": "#"}<|call|>',
    "<|channel|>commentary to=functions.ta<|message|>#",
    "<|message|>",
    "<|end|>",
    "<|channel|>",
    "<|mess",
  ],
};

function written(style: string, random: (n: number) => number): { text: string; words: string[] } {
  const own = [
    FRAGMENTS.all,
    FRAGMENTS[style === "xml" ? "hermes" : style],
    style === "harmony" ? [] : FRAGMENTS.think,
  ];
  const words: string[] = [];
  const parts = Array.from({ length: 1 + random(8) }, () => {
    const from = own[random(3)] ?? [];
    return (from[random(from.length)] ?? "").replace(/#/g, () => {
      words.push(`w${String(words.length)}q`);
      return words.at(-1) ?? "";
    });
  });
  return { text: parts.join(""), words };
}

it.each(["hermes", "xml", "llama", "mistral", "harmony"] as const)(
  "%s",
  (style) => {
    const random = randomFrom(7);
    for (let round = 0; round < 400; round++) {
      const { text, words } = written(style, random);
      const inThoughts = style !== "harmony" && random(4) === 0;
      const cut: string[] = [];
      for (let at = 0; at < text.length;) {
        const size = 1 + random(random(2) === 0 ? 4 : 40);
        cut.push(text.slice(at, at + size));
        at += size;
      }
      const found = readAnswer(cut.length > 0 ? cut : [""], { style, tools, inThoughts });
      const said = JSON.stringify([found.content, found.reasoning, found.calls]);
      const counts = words.map((word) => [word, said.split(word).length - 1]);
      expect({ text, counts }).toEqual({ text, counts: words.map((word) => [word, 1]) });
      // The positions of the cuts make no difference.
      const whole = readAnswer([text], { style, tools, inThoughts });
      expect({ text, ...found }).toEqual({ text, ...whole });
      if (found.calls.length === 0) {
        const marks = /<\/?think>|\[\/?THINK\]|<\|\w+\|>|\s+/g;
        const rest = (found.reasoning + found.content).replace(marks, "");
        if (style !== "harmony") expect({ text, rest }).toEqual({ text, rest: text.replace(marks, "") });
      }
    }
  },
  60_000,
);

it.each<[ToolStyle, string]>([
  ["hermes", "\n"],
  ["hermes", "<tool_call>"],
  ["hermes", '<tool_call>{"name": "'],
  ["hermes", "<function=ta>x"],
  ["llama", "{"],
  ["llama", '{"a": '],
  ["llama", "["],
  ["llama", '<|python_tag|>ta.call(p="x", '],
  ["mistral", "[TOOL_CALLS]["],
  ["harmony", "x"],
  ["harmony", " "],
  ["harmony", "<|channel|>"],
])(
  "%s reads %j as often as one likes in proportion",
  (style, fragment) => {
    const text = fragment.repeat(Math.ceil(160_000 / fragment.length));
    const time = (length: number, size: number): number => {
      const cut = pieces(text.slice(0, length), size);
      const begin = performance.now();
      readAnswer(cut, { style, tools });
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
