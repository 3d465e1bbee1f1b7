/** Dictated words between typed ones, and how times and languages are written. */
import { describe, expect, it } from "vitest";
import { formatClock } from "../src/lib/clock.js";
import { languageCode, languageName } from "../src/lib/language-name.js";
import { fitted, withWords } from "../src/lib/words.js";

/** Returns the text with the words at the bar. */
function put(text: string, words: string): string {
  const at = text.indexOf("|");
  const whole = text.replace("|", "");
  return whole.slice(0, at) + fitted(whole, at, words) + whole.slice(at);
}

describe("dictated words", () => {
  it.each([
    ["|", " Hello there. ", "Hello there."],
    ["Dear Ann,|", "how are you?", "Dear Ann, how are you?"],
    ["Dear Ann, |", "how are you?", "Dear Ann, how are you?"],
    ["first\n|", "second", "first\nsecond"],
    ["a |b", "x", "a x b"],
    ["a|, b", "x", "a x, b"],
    ["(|)", "aside", "(aside)"],
    ["wait|", "…", "wait…"],
    ["one|", ", two", "one, two"],
    ["你好，|世界", "美丽的", "你好，美丽的世界"],
    ["说 hello|", "世界", "说 hello世界"],
    ["안녕|", "하세요", "안녕 하세요"],
    ["שלום|", "עולם", "שלום עולם"],
    ["fire 🔥|", "burns", "fire 🔥 burns"],
    ["𠮷|", "野", "𠮷野"],
    ["kept|", "  ", "kept"],
  ])("%s + %s", (text, words, expected) => {
    expect(put(text, words)).toBe(expected);
  });

  it("go to the end of a text that is not on the screen", () => {
    expect(withWords("And", "then")).toBe("And then");
    expect(withWords("", "then")).toBe("then");
  });
});

it.each([
  [0, "0:00"],
  [-1, "0:00"],
  [59.9, "0:59"],
  [750, "12:30"],
  [3723, "1:02:03"],
])("%s seconds are at %s", (seconds, expected) => {
  expect(formatClock(seconds)).toBe(expected);
});

it.each([
  ["de", "en", "German"],
  ["german", "zh-CN", "德语"],
  ["english", "en", "English"],
  ["not a language", "en", "not a language"],
])("the language %s in %s is %s", (given, shownIn, expected) => {
  expect(languageName(languageCode(given, ["en", "de"]), shownIn)).toBe(expected);
});
