/** Notations of values that resemble JSON: Gemma's, with its own quotes, and Python's. */
import type { Dialect } from "./literals.js";

const QUOTE = '<|"|>';

/** Gemma 4's: strings stand between `<|"|>` tokens without escapes, and keys without quotes. JSON's strings are read too. */
export const GEMMA: Dialect = {
  quote(text, at, isWhole) {
    if (text[at] === '"') return '"';
    return beginsWith(QUOTE, text, at, isWhole, "");
  },
  ends: (text, at, quote, isWhole) =>
    beginsWith(quote, text, at, isWhole, "") === undefined ? undefined : text.startsWith(quote, at),
  escapes: (quote) => quote === '"',
  value: (text, quote) => (quote === QUOTE ? text : parsed(`"${text.replace(/\n/g, "\\n")}"`)),
};

/**
 * Python's. Templates write strings between single quotes without escaping quotes within (LFM2.5), so that a quote ends
 * a string only if something follows that may follow a value.
 */
export const PYTHON: Dialect = {
  quote(text, at, isWhole) {
    const c = text[at];
    if (c !== "'" && c !== '"') return "";
    return beginsWith(c.repeat(3), text, at, isWhole, c);
  },
  ends(text, at, quote, isWhole) {
    if (quote.length > 1) {
      return beginsWith(quote, text, at, isWhole, "") === undefined ? undefined : text.startsWith(quote, at);
    }
    const after = text.slice(at + 1, at + 1 + MOST_AHEAD);
    if (!isWhole && after.length < MOST_AHEAD && /^\s*(?:,\s*[\w.-]*\s*)?$/.test(after)) return undefined;
    return AFTER_VALUE.test(after);
  },
  escapes: () => true,
  value: (text) => text.replace(ESCAPE, unescaped),
};

/** Maximum characters after a quote that decide whether it ends a string. */
const MOST_AHEAD = 64;
/** A closing bracket or a colon, or a comma and what may begin the next member. */
const AFTER_VALUE = /^\s*(?:$|[)\]}:]|,\s*(?:$|["'[{()\]}]|[\w.-]+\s*(?:$|[=,)\]}:])))/;
const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U(0010[\da-fA-F]{4}|000[\da-fA-F]{5})|([^]))/g;
const NAMED: Record<string, string> = { n: "\n", t: "\t", r: "\r", "\n": "", "\\": "\\", "'": "'", '"': '"' };

function unescaped(whole: string, x?: string, u?: string, long?: string, c = ""): string {
  const code = x ?? u ?? long;
  if (code !== undefined) return String.fromCodePoint(parseInt(code, 16));
  return NAMED[c] ?? whole;
}

/**
 * Returns the mark if the text has it at a position, `otherwise` if it does not; undefined if the text ends within what
 * may be the mark.
 */
function beginsWith(mark: string, text: string, at: number, isWhole: boolean, otherwise: string): string | undefined {
  if (text.startsWith(mark, at)) return mark;
  const isCut = !isWhole && at + mark.length > text.length && mark.startsWith(text.slice(at));
  return isCut ? undefined : otherwise;
}

function parsed(text: string): string | undefined {
  try {
    return JSON.parse(text) as string;
  } catch {
    return undefined;
  }
}
