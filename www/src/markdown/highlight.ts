/** Syntax highlighting. The highlighter is fetched with the first code block. */
import DOMPurify from "dompurify";

type Highlighter = (typeof import("highlight.js/lib/common"))["default"];

let highlighter: Highlighter | undefined;
let loading: Promise<Highlighter> | undefined;
/** Longer code stays plain: highlighting it would block the page. */
const MOST_CHARACTERS = 50_000;

/** Highlights at once, or as soon as the highlighter has loaded. */
export function highlight(code: HTMLElement, language: string): void {
  if (language === "" || code.textContent.length > MOST_CHARACTERS) return;
  if (highlighter !== undefined) {
    colour(highlighter, code, language);
    return;
  }
  loading ??= import("highlight.js/lib/common").then((module) => module.default);
  void loading.then(
    (loaded) => {
      highlighter = loaded;
      colour(loaded, code, language);
    },
    () => {
      // If the highlighter cannot be fetched, code stays plain; the next block tries again.
      loading = undefined;
    },
  );
}

function colour(loaded: Highlighter, code: HTMLElement, language: string): void {
  if (loaded.getLanguage(language) === undefined) return;
  const { value } = loaded.highlight(code.textContent, { language, ignoreIllegals: true });
  code.replaceChildren(
    DOMPurify.sanitize(value, { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], RETURN_DOM_FRAGMENT: true }),
  );
}
