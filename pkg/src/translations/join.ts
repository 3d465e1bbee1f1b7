/** Translations put together again, with what lay between the pieces. */

/** Letters of scripts that have no spaces between sentences, and their marks. */
const WIDE_END =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\uff01-\uff0f\uff1a-\uff20]["'”’」』）]*$/u;

/**
 * Returns the characters between two pieces of a translation. They are those of the text, unless one of the languages puts spaces between sentences and
 * the other does not.
 */
export function gapFor(gap: string, piece: string, translation: string): string {
  const [was, is] = [WIDE_END.test(piece), WIDE_END.test(translation)];
  if (gap === "" && was && !is && translation !== "") return " ";
  return gap === " " && !was && is ? "" : gap;
}

/**
 * Takes a translation of a part of one line as it comes: without spaces at its ends, and on one line, for models may begin a
 * new one that the text does not have.
 */
export class OneLine {
  text = "";
  #spaces = "";

  /** Returns the characters that are certain now. */
  push(characters: string): string {
    const all = this.#spaces + characters;
    const core = all.trimEnd();
    this.#spaces = all.slice(core.length);
    const tidy = onOneLine(this.text === "" ? core.trimStart() : core);
    // Spaces before the first word are dropped, and so must be held as none.
    if (this.text === "" && tidy === "") this.#spaces = "";
    this.text += tidy;
    return tidy;
  }
}

export function onOneLine(text: string): string {
  return text.replace(/\s*[\n\v\f\r\u0085\u2028\u2029]\s*/g, " ");
}
