/**
 * Estimate of a text's tokens, without a tokenizer: texts are cut before their embedder is known, and stay as they are
 * under another one.
 *
 * Vocabularies of subwords take about 4.5 letters a token in prose of alphabets, and about one token a character for
 * ideographs, kana, other scripts without spaces, and punctuation.
 */
const PARTS =
  /(\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Script=Thai})|(\p{L}|\p{M})|(\p{N})|\s|(.)/gsu;

export function tokensIn(text: string): number {
  let [dense, letters, digits, others] = [0, 0, 0, 0];
  for (const [, isDense, isLetter, isDigit, isOther] of text.matchAll(PARTS)) {
    if (isDense !== undefined) dense++;
    else if (isLetter !== undefined) letters++;
    else if (isDigit !== undefined) digits++;
    else if (isOther !== undefined) others++;
  }
  return Math.ceil(dense + letters / 4.5 + digits / 2 + others * 0.9);
}
