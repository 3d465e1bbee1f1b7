/** Dictated words between typed ones, with the spaces that their scripts want. */

/** Scripts without spaces between words, and their punctuation. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\u3000-\u303f\uff00-\uffef]/u;
const OPENING = /[\s([{<“‘«¿¡"'/]/u;
const CLOSING = /[\s)\]}>”’».,;:!?…%/]/u;

/** Returns the words as they are to be inserted at a position of the text; empty if there are none. */
export function fitted(text: string, at: number, words: string): string {
  const inserted = words.trim();
  if (inserted === "") return "";
  const [first, last] = [firstOf(inserted), lastOf(inserted)];
  const [before, after] = [lastOf(text.slice(0, at)), firstOf(text.slice(at))];
  const isSpaced = (left: string, right: string): boolean =>
    left !== "" &&
    right !== "" &&
    !OPENING.test(left) &&
    !CLOSING.test(right) &&
    !(UNSPACED.test(left) || UNSPACED.test(right));
  return `${isSpaced(before, first) ? " " : ""}${inserted}${isSpaced(last, after) ? " " : ""}`;
}

/** Returns the text with the words at its end. */
export function withWords(text: string, words: string): string {
  return text + fitted(text, text.length, words);
}

/** Characters beyond the first 65,536 take two units, which belong together. */
const firstOf = (text: string): string => /^./su.exec(text)?.[0] ?? "";
const lastOf = (text: string): string => /.$/su.exec(text)?.[0] ?? "";
