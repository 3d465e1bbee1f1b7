/**
 * Formulas: `$…$`, `$$…$$`, `\(…\)` and `\[…\]`, set by KaTeX, which is fetched with the first one.
 *
 * KaTeX creates elements itself and is configured to trust nothing: no links, no images, no styles from the formula.
 */
import type { MarkedExtension, Tokens } from "marked";

type Katex = (typeof import("katex"))["default"];

let katex: Katex | undefined;
let loading: Promise<Katex> | undefined;

/** Matches no empty lines, which TeX forbids: so a block that has ended does not change, whatever comes after it. */
const BLOCK = /^(?:\$\$((?:(?!\n[ \t]*\n)[^$])+?)\$\$|\\\[((?:(?!\n[ \t]*\n)[\s\S])+?)\\\])[ \t]*(?:\n|$)/;
/** A dollar sign before a digit or space is money; so is one after a space. */
const INLINE = /^(?:\$\$([^$\n]+?)\$\$|\$(?![\s\d])((?:\\.|[^$\\\n])*?[^\s\\$])\$(?![\d\w])|\\\((.{1,2000}?)\\\))/;

/**
 * Finds where the next formula may begin, searching only as far as the text that is parsed next: the lexer asks at
 * every piece, and searching the whole remainder each time takes seconds for a long answer.
 */
export function startOf(source: string, next: RegExp): number | undefined {
  const match = next.exec(source);
  return match?.[1] === undefined ? undefined : match.index;
}
/** Matches a formula, or the empty line that ends a paragraph. */
const NEXT_BLOCK = /(\$\$|\\\[)|\n[ \t]*\n/;
/** Matches a formula, or any of the characters that end plain text. */
const NEXT_INLINE = /(\$|\\\()|[\\<![`*~_\n]/;

function formula(raw: string, match: RegExpExecArray, type: string): Tokens.Generic {
  const text = (match.slice(1) as (string | undefined)[]).find((group) => group !== undefined) ?? "";
  return { type, raw, text: text.trim() };
}

/** Keeps the formula's source as text until `setMath` processes it. */
const asText = (text: string, className: string): string => {
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<span class="${className}">${escaped}</span>`;
};

export const mathExtension: MarkedExtension = {
  extensions: [
    {
      name: "math_block",
      level: "block",
      start: (source) => startOf(source, NEXT_BLOCK),
      tokenizer(source) {
        const match = BLOCK.exec(source);
        return match === null ? undefined : formula(match[0], match, "math_block");
      },
      renderer: (token) => `<div>${asText(String(token.text), "math block")}</div>\n`,
    },
    {
      name: "math_inline",
      level: "inline",
      start: (source) => startOf(source, NEXT_INLINE),
      tokenizer(source) {
        const match = INLINE.exec(source);
        return match === null ? undefined : formula(match[0], match, "math_inline");
      },
      renderer: (token) => asText(String(token.text), "math"),
    },
  ],
};

export function hasMath(element: HTMLElement): boolean {
  return element.querySelector(".math") !== null;
}

/** Sets the formula at once, or as soon as KaTeX has loaded; until then its source is shown. */
export function setMath(element: HTMLElement): void {
  if (katex !== undefined) {
    setAll(katex, element);
    return;
  }
  loading ??= Promise.all([import("katex"), import("katex/dist/katex.min.css")]).then(([module]) => module.default);
  void loading.then(
    (loaded) => {
      katex = loaded;
      setAll(loaded, element);
    },
    () => {
      loading = undefined;
    },
  );
}

function setAll(loaded: Katex, element: HTMLElement): void {
  for (const span of element.querySelectorAll<HTMLElement>(".math")) {
    try {
      loaded.render(span.textContent, span, {
        displayMode: span.classList.contains("block"),
        throwOnError: true,
        trust: false,
        strict: "ignore",
        maxSize: 20,
        maxExpand: 200,
      });
    } catch {
      // An incomplete or invalid formula: its source says as much as an error would.
    }
  }
}
