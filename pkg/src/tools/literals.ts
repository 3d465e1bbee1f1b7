/** Reads calls whose arguments are written between brackets in a notation that resembles JSON. */
import type { Reader, Reading } from "./call-reader.js";
import { fromPython } from "./function-reader.js";

/** Notation of the strings of a language. */
export interface Dialect {
  /**
   * Returns the quote that begins a string at a position, "" if there is none; undefined if more text must decide.
   * `isWhole`: no more text comes.
   */
  quote(text: string, at: number, isWhole: boolean): string | undefined;
  /** Returns whether a quote ends a string at a position; undefined if more text must decide. */
  ends(text: string, at: number, quote: string, isWhole: boolean): boolean | undefined;
  /** Returns whether a backslash escapes characters between such quotes. */
  escapes(quote: string): boolean;
  /** Returns the string that a text between such quotes means; undefined if it means none. */
  value(text: string, quote: string): string | undefined;
}

const OPEN = "([{";
const CLOSE = ")]}";
/** Maximum nesting of values, which are read by recursion. */
const MOST_LEVELS = 64;

/** Reads a call from the bracket before its arguments on; the arguments are delivered once they are complete. */
export class LiteralReader implements Reader {
  readonly #name: string;
  readonly #dialect: Dialect;
  readonly #separator: ":" | "=";
  #depth = 0;
  #quote = "";
  #isEscaped = false;
  /** Text that may be the beginning of a quote. */
  #held = "";
  text = "";

  /** Creates a reader. `separator`: what stands between the names and values of arguments. */
  constructor(name: string, dialect: Dialect, separator: ":" | "=") {
    this.#name = name;
    this.#dialect = dialect;
    this.#separator = separator;
  }

  feed(text: string, isLast: boolean): Reading {
    const all = this.#held + text;
    const { taken, isEnd } = this.#scan(all, isLast);
    this.#held = isEnd || isLast ? "" : all.slice(taken);
    this.text += all.slice(0, isLast && !isEnd ? all.length : taken);
    if (!isEnd) return isLast ? { rest: "", end: "none" } : { rest: "" };
    const rest = all.slice(taken);
    const args = argumentsOf(this.text, this.#dialect, this.#separator);
    if (args === undefined) return { rest, end: "none" };
    return { piece: { name: this.#name, arguments: args }, rest, end: "call" };
  }

  /** Returns how many characters are certain, and whether the closing bracket is the last one of these. */
  #scan(text: string, isLast: boolean): { taken: number; isEnd: boolean } {
    let at = 0;
    while (at < text.length) {
      const c = text.charAt(at);
      if (this.#isEscaped) {
        this.#isEscaped = false;
      } else if (this.#quote === "") {
        if (OPEN.includes(c)) this.#depth += 1;
        if (CLOSE.includes(c)) this.#depth -= 1;
        if (this.#depth <= 0) return { taken: at + 1, isEnd: true };
        const quote = this.#dialect.quote(text, at, isLast);
        if (quote === undefined) break;
        this.#quote = quote;
        at += Math.max(0, quote.length - 1);
      } else if (c === "\\" && this.#dialect.escapes(this.#quote)) {
        this.#isEscaped = true;
      } else if (c === this.#quote[0]) {
        const ends = this.#dialect.ends(text, at, this.#quote, isLast);
        if (ends === undefined) break;
        if (ends) {
          at += this.#quote.length - 1;
          this.#quote = "";
        }
      }
      at += 1;
    }
    return { taken: at, isEnd: false };
  }
}

/** Returns the JSON of arguments in brackets; undefined if they are none. */
function argumentsOf(text: string, dialect: Dialect, separator: ":" | "="): string | undefined {
  const values = new Values(text, dialect);
  const args = values.members(separator, 0);
  return values.isAtEnd() ? args : undefined;
}

/** Converts values to JSON, from the beginning of a text on. */
class Values {
  readonly #text: string;
  readonly #dialect: Dialect;
  #at = 0;

  constructor(text: string, dialect: Dialect) {
    this.#text = text;
    this.#dialect = dialect;
  }

  isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  /** Reads names and values in brackets. */
  members(separator: string, level: number): string | undefined {
    const found = new Map<string, string>();
    const isWhole = this.#between(() => {
      const key = this.#string() ?? this.#bare(`${separator},${CLOSE}`);
      if (key === undefined || key === "" || found.has(key) || !this.#skip(separator)) return false;
      const value = this.#value(level + 1);
      if (value !== undefined) found.set(key, value);
      return value !== undefined;
    });
    const members = Array.from(found, ([key, value]) => `${JSON.stringify(key)}: ${value}`);
    return isWhole ? `{${members.join(", ")}}` : undefined;
  }

  #value(level: number): string | undefined {
    if (level > MOST_LEVELS) return undefined;
    this.#blanks();
    const c = this.#text[this.#at];
    if (c === "{") return this.members(":", level);
    if (c === "[" || c === "(") return this.#list(level);
    const text = this.#string();
    if (text !== undefined) return JSON.stringify(text);
    return toJson(this.#bare(`,${CLOSE}`));
  }

  #list(level: number): string | undefined {
    const items: string[] = [];
    const isWhole = this.#between(() => {
      const item = this.#value(level + 1);
      if (item !== undefined) items.push(item);
      return item !== undefined;
    });
    return isWhole ? `[${items.join(", ")}]` : undefined;
  }

  /** Reads what stands between two brackets, separated by commas; returns whether all of it could be read. */
  #between(read: () => boolean): boolean {
    const close = CLOSE[OPEN.indexOf(this.#text.charAt(this.#at))] ?? "";
    this.#at += 1;
    while (!this.#skip(close)) {
      if (!read()) return false;
      if (!this.#skip(",") && this.#text[this.#at] !== close) return false;
    }
    return true;
  }

  /** Reads a string, if one begins here. */
  #string(): string | undefined {
    this.#blanks();
    const begin = this.#at;
    const quote = this.#dialect.quote(this.#text, begin, true);
    if (quote === undefined || quote === "") return undefined;
    let at = begin + quote.length;
    while (at < this.#text.length) {
      if (this.#text[at] === "\\" && this.#dialect.escapes(quote)) at += 1;
      else if (this.#text[at] === quote[0] && this.#dialect.ends(this.#text, at, quote, true)) break;
      at += 1;
    }
    if (at >= this.#text.length) return undefined;
    this.#at = at + quote.length;
    return this.#dialect.value(this.#text.slice(begin + quote.length, at), quote);
  }

  /** Reads up to one of these characters. */
  #bare(ends: string): string | undefined {
    this.#blanks();
    const begin = this.#at;
    while (this.#at < this.#text.length && !ends.includes(this.#text.charAt(this.#at))) this.#at += 1;
    return this.#text.slice(begin, this.#at).trim();
  }

  #skip(c: string): boolean {
    this.#blanks();
    const is = c !== "" && this.#text[this.#at] === c;
    if (is) this.#at += 1;
    return is;
  }

  #blanks(): void {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at += 1;
  }
}

/** Returns the JSON of a number, truth value or null, and of other words as texts, whose quotes a model left out. */
function toJson(word: string | undefined): string | undefined {
  if (word === undefined || word === "") return undefined;
  const json = fromPython(word);
  try {
    JSON.parse(json);
    return json;
  } catch {
    return JSON.stringify(word);
  }
}
