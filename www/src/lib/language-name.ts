/** Names of languages for the visitor. */

/** Returns the code of a language that OpenAI's format has by its English name ("german"), if it is among a model's. */
export function languageCode(name: string, codes: readonly string[]): string {
  const english = new Intl.DisplayNames("en", { type: "language" });
  return codes.find((one) => nameOf(english, one).toLowerCase() === name.toLowerCase()) ?? name;
}

/** Returns a language's name in the page's language. */
export function languageName(code: string, shownIn: string): string {
  return nameOf(new Intl.DisplayNames(shownIn, { type: "language" }), code);
}

function nameOf(names: Intl.DisplayNames, code: string): string {
  try {
    return names.of(code) ?? code;
  } catch {
    // Not a code in its form.
    return code;
  }
}
