/** Languages by their codes of BCP 47, and their names. */
import { invalid } from "../core/errors.js";

const CODE = 'the code of a language, such as "de" or "zh-Hant"';

/** Returns a code in its usual form, `zh-Hant` for `zho_hant`; refuses what is no code. */
export function canonical(field: string, code: unknown): string {
  const found = typeof code === "string" ? formOf(code) : undefined;
  if (found === undefined) throw invalid(field, CODE, code);
  return found;
}

/** Refuses a language without a name, which a model could not be asked for. */
export function requireName(field: string, code: string | undefined): void {
  if (code !== undefined && !hasName(code)) throw invalid(field, CODE, code);
}

/** Returns a language's name, in English unless another language is given. */
export function languageName(code: string, shownIn = "en"): string {
  return new Intl.DisplayNames([shownIn], { type: "language" }).of(code) ?? code;
}

/** Returns the code that a model has for a language: the same, or the one that means the same language in the same script. */
export function matching(wanted: string, codes: readonly string[]): string | undefined {
  const same = (known: (code: string) => string): string | undefined =>
    codes.find((code) => known(code) === known(wanted));
  return same(plain) ?? same(whole) ?? same(written);
}

/** Returns the model's code for a language, and refuses one that it lacks with a list of those that it has. */
export function among(field: string, wanted: string, codes: readonly string[], model: string): string {
  const found = matching(wanted, codes);
  if (found !== undefined) return found;
  throw invalid(field, `a language that ${model} translates (${codes.join(", ")})`, wanted);
}

/** Tells whether a language is written in Chinese: a variety of it, or Cantonese. */
export function isChinese(code: string): boolean {
  return /^(zh|yue)(-|$)/.test(code);
}

/** Tells whether a text looks Chinese: it has ideographs, few other letters, and neither kana nor hangul. */
export function looksChinese(text: string): boolean {
  const count = (letters: RegExp): number => text.match(letters)?.length ?? 0;
  const others = /\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}/u;
  return !others.test(text) && count(/\p{Script=Han}/gu) * 3 > count(/\p{L}/gu);
}

function hasName(code: string): boolean {
  const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" });
  try {
    return names.of(new Intl.Locale(code).language) !== undefined;
  } catch {
    // Browsers refuse the code of no language at all.
    return false;
  }
}

function formOf(code: string): string | undefined {
  try {
    const [found = ""] = Intl.getCanonicalLocales(code.trim().replaceAll("_", "-"));
    const { language, script, region } = new Intl.Locale(found);
    return [language, script, region].filter((part) => part !== undefined).join("-");
  } catch {
    // Not in the form of a code.
    return undefined;
  }
}

const plain = (code: string): string => formOf(code) ?? code;

/** Returns a code with the script and the region that are likeliest for it. */
function whole(code: string): string {
  return new Intl.Locale(plain(code)).maximize().baseName;
}

function written(code: string): string {
  const { language, script = "" } = new Intl.Locale(whole(code));
  return `${language}-${script}`;
}
