/**
 * LocalAgreement-2: the part of a growing utterance's text that probably does not change any more. It is what two successive
 * hypotheses begin with alike, up to the end of a word.
 */

/** Scripts that write no spaces between words, in which each character is one. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const IN_WORD = /[\p{L}\p{N}\p{M}'’]/u;

export class Agreement {
  #last: string[] = [];

  /** Takes a hypothesis of the whole utterance; returns what it has in common with the last one, and its rest. */
  add(hypothesis: string): { settled: string; tentative: string } {
    const text = Array.from(hypothesis.trim());
    const settled = text.slice(0, agreed(this.#last, text)).join("").trimEnd();
    this.#last = text;
    return { settled, tentative: text.join("").slice(settled.length) };
  }

  /** Begins another utterance. */
  reset(): void {
    this.#last = [];
  }
}

/** Returns the number of characters that both texts begin with, up to the end of a word. */
function agreed(a: readonly string[], b: readonly string[]): number {
  // A sentence that seems to end may go on.
  const most = Math.min(wordsEnd(a), wordsEnd(b));
  let common = 0;
  while (common < most && a[common] === b[common]) common++;
  while (common > 0 && (isWithin(a, common) || isWithin(b, common))) common--;
  return common;
}

/** Returns where the last word of a text ends. */
function wordsEnd(text: readonly string[]): number {
  return text.findLastIndex((character) => IN_WORD.test(character)) + 1;
}

/** Tells whether a word goes on at `at`. */
function isWithin(text: readonly string[], at: number): boolean {
  return isPart(text[at - 1] ?? "") && isPart(text[at] ?? "");
}

function isPart(character: string): boolean {
  return IN_WORD.test(character) && !UNSPACED.test(character);
}
