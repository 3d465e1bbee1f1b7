/**
 * Extracts tool calls from an answer's text. A call is a JSON object with a name and arguments, or what the style's
 * syntax recognises.
 *
 * Text that turns out not to be a call is returned unchanged with its marks: no model output is lost.
 */
import { CallReader, JsonEnd, type Beginning, type Reader } from "./call-reader.js";
import { beginningOf, type Parser, type Parts, type Schemas } from "./parts.js";

/** Syntax of calls that stand between marks in an answer's text. */
export interface CallSyntax {
  /** Beginnings of calls; a lookahead `(?=…)` is part of the call. */
  readonly mark: RegExp;
  /** Beginnings of calls as texts, to recognise partial ones. */
  readonly marks: readonly string[];
  /** Whether a separator must come before another call's JSON object. */
  readonly needsSeparator?: true;
  /** Recognises a call that is no JSON object at the beginning of a text; `isBare`: there is no mark before it. */
  begin(text: string, schemas: Schemas, isBare: boolean): Beginning;
}

/** Tags that may end a call, in any style. */
export const CLOSE: readonly string[] = [
  "</tool_call>",
  "<|/tool_call|>",
  "</function>",
  "<tool_call|>",
  "<|tool_call_end|>",
  "<|END_ACTION|>",
];
/** Keys with which an object without a mark must begin to be taken for a call. */
const KEYS = ["name", "type", "function", "parameters", "arguments", "id"].map((key) => `"${key}"`);
/** Maximum length of whitespace and names that are re-examined with each piece of text. */
const MOST_HELD = 256;
/** Maximum whitespace before a call that is dropped with it. */
const MOST_BLANKS = 16;

export class CallParser implements Parser {
  readonly #syntax: CallSyntax;
  readonly #schemas: Schemas;
  /** `skip`: inside JSON that is no call. */
  #state: "content" | "skip" | "open" | "call" | "between" = "content";
  #held = "";
  #index = -1;
  #reader: Reader = new CallReader();
  #skipped = new JsonEnd();
  /** Text taken as a possible call and not delivered yet. */
  #taken = "";
  /** There is no mark, only the shape of a call; then the name must be that of a tool. */
  #isBare = false;
  #isList = false;
  #isClosed = false;

  constructor(syntax: CallSyntax, schemas: Schemas) {
    this.#syntax = syntax;
    this.#schemas = schemas;
  }

  feed(text: string, isLast: boolean): Parts {
    const found: Parts = { reasoning: "", content: "", calls: [] };
    let rest = this.#held + text;
    this.#held = "";
    while (rest !== "" || (isLast && this.#state !== "content" && this.#state !== "skip")) {
      const next = this.#step(rest, isLast, found);
      if (next === undefined) {
        this.#held = rest;
        break;
      }
      rest = next;
    }
    return found;
  }

  /** Consumes as much of the text as possible; returns the rest, or undefined if more text is needed to decide. */
  #step(text: string, isLast: boolean, found: Parts): string | undefined {
    switch (this.#state) {
      case "content":
        return this.#content(text, isLast, found);
      case "skip": {
        const { taken, isEnd } = this.#skipped.feed(text);
        found.content += text.slice(0, taken);
        if (isEnd) this.#state = "content";
        return text.slice(taken);
      }
      case "open":
        return this.#open(text, isLast, found);
      case "call":
        return this.#call(text, isLast, found);
      case "between":
        return this.#between(text, isLast, found);
    }
  }

  #content(text: string, isLast: boolean, found: Parts): string {
    const { mark, marks } = this.#syntax;
    mark.lastIndex = 0;
    const open = mark.exec(text);
    // A newline before a call belongs to the call.
    const partial = open !== null || isLast ? 0 : beginningOf(marks, text);
    const end = open?.index ?? text.length - partial;
    const blanks = open === null && isLast ? 0 : blanksBefore(text, end);
    found.content += text.slice(0, end - blanks);
    if (open === null) {
      this.#held = text.slice(end - blanks);
      return "";
    }
    this.#taken = text.slice(end - blanks, end) + open[0];
    this.#isBare = open[0] === "";
    this.#isList = this.#isClosed = false;
    this.#state = "open";
    return text.slice(end + open[0].length);
  }

  /** Continues after a mark, or before a possible call without one. */
  #open(text: string, isLast: boolean, found: Parts): string | undefined {
    const near = text.slice(0, MOST_HELD);
    const visible = near.trimStart();
    const blanks = near.slice(0, near.length - visible.length);
    const isWhole = isLast || near.length === MOST_HELD;
    if (visible === "" && !isWhole) return undefined;
    if (visible.startsWith("[") && !this.#isList) return this.#list(text, blanks);
    const begun = this.#begin(visible, isWhole);
    if (begun === "maybe") return undefined;
    this.#taken += blanks;
    if (typeof begun === "object") {
      this.#reader = begun.reader;
      this.#state = "call";
      this.#taken += visible.slice(0, begun.length);
      return text.slice(blanks.length + begun.length);
    }
    // Inside JSON no calls are searched for, but not every brace begins JSON.
    const isJson = this.#isBare && /^\{\s*"/.test(visible);
    // Without a mark, one character is skipped so that the same text is not matched again.
    const isMark = !this.#isBare || this.#taken.trimStart() !== "";
    const length = isMark ? 0 : Math.min(1, visible.length);
    return this.#giveBack(visible.slice(0, length), text.slice(blanks.length + length), found, isJson);
  }

  #list(text: string, blanks: string): string {
    this.#taken += `${blanks}[`;
    this.#isList = true;
    return text.slice(blanks.length + 1);
  }

  #begin(text: string, isWhole: boolean): Beginning {
    const begun = text.startsWith("{") ? this.#object(text) : this.#syntax.begin(text, this.#schemas, this.#isBare);
    return begun === "maybe" && isWhole ? "none" : begun;
  }

  #object(text: string): Beginning {
    const begin = text.slice(1).trimStart();
    if (begin === "") return "maybe";
    const keys = this.#isBare ? KEYS : ['"'];
    if (!keys.some((key) => begin.startsWith(key))) {
      return keys.some((key) => key.startsWith(begin)) ? "maybe" : "none";
    }
    const accepts = this.#isBare ? (name: string): boolean => this.#schemas.has(name) : undefined;
    return { reader: new CallReader(accepts), length: 0 };
  }

  #call(text: string, isLast: boolean, found: Parts): string {
    const { piece, rest, end, extra = "" } = this.#reader.feed(text, isLast);
    if (piece !== undefined) {
      if (piece.name !== undefined) this.#index += 1;
      found.calls.push({ index: this.#index, ...piece });
    }
    if (end === "none") {
      return this.#giveBack(this.#reader.text, rest, found, this.#isBare && this.#reader.text.startsWith("{"));
    }
    if (end === "call") {
      found.content += extra;
      this.#taken = "";
      this.#state = "between";
    }
    return rest;
  }

  /** Delivers what was taken for a call as text; for JSON, also everything up to its end. */
  #giveBack(text: string, rest: string, found: Parts, isJson: boolean): string {
    found.content += this.#taken + text;
    this.#taken = "";
    this.#state = "content";
    if (!isJson) return rest;
    this.#skipped = new JsonEnd();
    if (!this.#skipped.feed(text).isEnd) this.#state = "skip";
    return rest;
  }

  /** Continues after a call: with its closing tag, another call, superfluous brackets, or text. */
  #between(text: string, isLast: boolean, found: Parts): string | undefined {
    const [junk = ""] = (this.#isClosed ? /^\s*/ : /^[\s,;}\]]*/).exec(text.slice(0, MOST_HELD)) ?? [];
    const after = text.slice(junk.length);
    const isShort = !isLast && junk.length < MOST_HELD;
    // Whitespace after the closing tag need not be held back.
    if (after === "" && this.#isClosed) return isLast ? this.#text(after) : "";
    if (after === "" && isShort) return undefined;
    const close = CLOSE.find((tag) => after.startsWith(tag));
    if (close !== undefined) {
      this.#isClosed = true;
      return after.slice(close.length);
    }
    const { marks, needsSeparator } = this.#syntax;
    if (isShort && [...CLOSE, ...marks].some((tag) => tag.startsWith(after))) return undefined;
    const isNext = !needsSeparator || /[,;]/.test(junk);
    // Calls that are no JSON objects follow one another in lists.
    const isListed = this.#isList && junk.includes(",") && !junk.includes("]");
    const begun = isListed && !after.startsWith("{") ? this.#syntax.begin(after, this.#schemas, false) : "none";
    if (begun === "maybe" && !isLast) return undefined;
    if ((typeof begun === "object" || (after.startsWith("{") && isNext)) && !this.#isClosed) {
      this.#taken = junk;
      this.#state = "open";
      return after;
    }
    const isAlone = (after === "" && isLast) || marks.some((tag) => after.startsWith(tag));
    // One of the brackets before text may be the list's.
    if (!isAlone) found.content += (this.#isList ? junk.replace("]", "") : junk).trimStart();
    return this.#text(after);
  }

  #text(rest: string): string {
    this.#state = "content";
    return rest;
  }
}

/** Returns the number of whitespace characters before a position, up to the limit. */
function blanksBefore(text: string, end: number): number {
  const near = text.slice(Math.max(0, end - MOST_BLANKS), end);
  return near.length - near.trimEnd().length;
}
