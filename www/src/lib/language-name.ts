/** Names of languages for the visitor. */

/**
 * Returns a language's name in the page's language. Speech models have codes, and OpenAI's format has English names
 * ("german"), which are looked up among the codes.
 */
export function languageName(given: string, shownIn: string, codes: readonly string[] = []): string {
  const english = new Intl.DisplayNames("en", { type: "language" });
  const code = codes.find((one) => nameOf(english, one).toLowerCase() === given.toLowerCase()) ?? given;
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
