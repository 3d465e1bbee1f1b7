import { describe, expect, it } from "vitest";
import { tokensIn } from "../src/documents/tokens.js";
import { gapFor, OneLine } from "../src/translations/join.js";
import { halves, split, type SplitOptions } from "../src/translations/split.js";
import { randomTexts } from "./translations-support.js";

const ONE: SplitOptions = { most: 100, count: tokensIn, isPacked: false };
const PACKED: SplitOptions = { ...ONE, isPacked: true };
const TEXTS = randomTexts(100);
const textsOf = (text: string, options: SplitOptions): string[] =>
  split(text, options).pieces.map((piece) => piece.text);

function together({ lead, pieces }: ReturnType<typeof split>): string {
  return lead + pieces.map(({ text, gap }) => text + gap).join("");
}

describe("pieces of a text", () => {
  it.each([ONE, PACKED, { ...ONE, most: 3 }, { ...PACKED, most: 8 }, { ...PACKED, language: "ja" }])(
    "are the text when put together, whatever it is: %j",
    (options) => {
      for (const text of TEXTS) {
        const pieces = split(text, options);
        expect(together(pieces)).toBe(text);
        for (const { text: piece } of pieces.pieces) {
          expect(piece).toBe(piece.trim());
          expect(piece).not.toMatch(/[\n\r\u2028\u2029\u0085]/);
        }
      }
    },
  );

  it("have a letter, unless they were cut off a sentence", () => {
    for (const text of TEXTS) for (const piece of textsOf(text, PACKED)) expect(piece).toMatch(/\S/);
    expect(split("--- 42 ---\n\n***\n", ONE)).toEqual({ lead: "--- 42 ---\n\n***\n", pieces: [] });
  });

  it("are sentences, with the spaces between them apart", () => {
    expect(split("  One thing.  Two things! \n\n Three?", ONE)).toEqual({
      lead: "  ",
      pieces: [
        { text: "One thing.", gap: "  " },
        { text: "Two things!", gap: " \n\n " },
        { text: "Three?", gap: "" },
      ],
    });
    expect(textsOf("你好。我是学生！真的吗？", ONE)).toEqual(["你好。", "我是学生！", "真的吗？"]);
  });

  it("do not end at abbreviations and initials", () => {
    expect(textsOf("I saw Dr. Smith and J. R. Jones. They left.", ONE)).toEqual([
      "I saw Dr. Smith and J. R. Jones.",
      "They left.",
    ]);
  });

  it("leave numbers of lists and marks of Markdown where they are", () => {
    expect(split("1. Introduction\n2. Methods\n", ONE)).toEqual({
      lead: "1. ",
      pieces: [
        { text: "Introduction", gap: "\n2. " },
        { text: "Methods", gap: "\n" },
      ],
    });
  });

  it("are packed within a line, as long as they fit", () => {
    const text = "One is here. Two is here. Three is here.\nFour is here.";
    expect(textsOf(text, PACKED)).toEqual(["One is here. Two is here. Three is here.", "Four is here."]);
    const most = tokensIn("One is here. Two is here.");
    expect(textsOf(text, { ...PACKED, most })).toEqual([
      "One is here. Two is here.",
      "Three is here.",
      "Four is here.",
    ]);
  });

  it("are never longer than they may be, if they can be cut", () => {
    const long = `${"word ".repeat(400)}end.`;
    for (const text of [long, "字".repeat(1000), `${"clause of words, ".repeat(60)}end.`]) {
      const pieces = textsOf(text, { ...ONE, most: 30 });
      expect(Math.max(...pieces.map(tokensIn))).toBeLessThanOrEqual(30);
      expect(pieces.length).toBeLessThan(80);
    }
    // A clause is not cut where a comma will do.
    expect(textsOf("The first clause is here, and the second one is there.", { ...ONE, most: 8 })).toEqual([
      "The first clause is here,",
      "and the second one is there.",
    ]);
  });

  it("are whole sentences, however long the line is", () => {
    const sentence = "These are the words of a sentence of medium length. ";
    expect(new Set(textsOf(sentence.repeat(100), ONE))).toEqual(new Set([sentence.trim()]));
    const long = `${"words without an end ".repeat(150)}🙂${" and more of them".repeat(200)}.`;
    expect(textsOf(`${long} ${sentence}`, { ...ONE, most: 10_000 })).toEqual([long, sentence.trim()]);
  });

  it("of a long text take no time to speak of", () => {
    for (const text of ["x".repeat(100_000), "a b ".repeat(25_000), "Go. ".repeat(25_000)]) {
      expect(together(split(text, { ...PACKED, most: 1000 }))).toBe(text);
    }
  });
});

describe("halves", () => {
  it("never take a character apart, and end at one", () => {
    const family = "👩‍👩‍👧‍👦";
    expect(halves(family)).toBeUndefined();
    expect(halves(family + family)?.map(({ text }) => text)).toEqual([family, family]);
    expect(halves("x")).toBeUndefined();
    expect(halves("ab")?.map(({ text }) => text)).toEqual(["a", "b"]);
  });
});

describe("gaps", () => {
  it("stay, unless only one of the languages has spaces between sentences", () => {
    expect(gapFor("", "你好。", "Hello.")).toBe(" ");
    expect(gapFor(" ", "Hello.", "你好。")).toBe("");
    expect(gapFor("\n", "Hello.", "你好。")).toBe("\n");
    expect(gapFor("", "你好。", "こんにちは。")).toBe("");
    expect(gapFor("  ", "Hello.", "Hallo.")).toBe("  ");
  });
});

describe("a translation as it comes", () => {
  it("has no spaces at its ends and no lines of its own, however it is cut", () => {
    const given = " \n Hallo,\n\n  Welt. \n";
    for (let size = 1; size < given.length; size++) {
      const line = new OneLine();
      let shown = "";
      for (let at = 0; at < given.length; at += size) shown += line.push(given.slice(at, at + size));
      expect(shown).toBe("Hallo, Welt.");
      expect(line.text).toBe(shown);
    }
  });
});
