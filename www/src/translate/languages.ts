/** Languages to choose from, by their names in the page's language. */
import { languageName } from "../lib/language-name.js";

/** Languages offered where the model does not say which it knows: those with the most speakers or the most texts. */
const COMMON = (
  "ar bg bn ca cs da de el en es et fa fi fil fr gu he hi hr hu id it ja kk km kn ko lt lv ml mn mr ms my nl no pa pl pt pt-BR ro ru " +
  "sk sl sr sv sw ta te th tr uk ur vi yue zh zh-Hant"
).split(" ");

/** Returns codes and names, in the order of the names. */
export function choices(codes: readonly string[] | undefined, shownIn: string): [code: string, name: string][] {
  const named = (codes ?? COMMON).map((code): [string, string] => [code, languageName(code, shownIn)]);
  return named.sort(([, a], [, b]) => a.localeCompare(b, shownIn));
}

/** Returns the model's code for a language that was chosen with another one; empty if it has none. */
export function known(code: string, codes: readonly string[] | undefined): string {
  const all = codes ?? COMMON;
  if (code === "" || all.includes(code)) return code;
  const plain = (one: string): string => new Intl.Locale(one).maximize().baseName;
  return all.find((one) => plain(one) === plain(code)) ?? "";
}
