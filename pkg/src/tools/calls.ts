/**
 * Extracts tool calls from an answer, in the forms in which models write them:
 *
 * - `hermes` (Qwen, Hermes, SmolLM): any number of `<tool_call>{"name": …, "arguments": …}</tool_call>`, and
 *   Qwen3-Coder's form `<function=NAME><parameter=KEY>…</parameter></function>`, with or without the tags;
 * - `llama` (Llama 3.1 and later): `{"name": …, "parameters": …}`, alone, in a list or after prose, or
 *   `<function=NAME>{…}</function>`; after `<|python_tag|>` also `NAME.call(key="value")`;
 * - `mistral`: `[TOOL_CALLS][{"name": …, "arguments": …}, …]`, or `[TOOL_CALLS]name[ARGS]{…}` since Ministral.
 *
 * Text that turns out not to be a call is returned unchanged with its marks: no model output is lost.
 */
import { CallReader, JsonEnd, type Reader } from "./call-reader.js";
import { beginningOf, type CallDelta } from "./parts.js";
import { BuiltInReader, FunctionReader, type Schemas } from "./spelled-calls.js";
import type { ToolStyle } from "../core/wasm-contract.js";

interface Found {
  content: string;
  calls: CallDelta[];
}

type Style = Exclude<ToolStyle, "harmony" | "xml">;

/**
 * Beginnings of calls (`mark`; a lookahead `(?=…)` is part of the call), and the same as texts, to recognise partial
 * ones.
 */
const OPEN: Record<Style, { mark: RegExp; texts: string[] }> = {
  hermes: {
    mark: /<tool_call>|<\|tool_call\|>|(?=<function=)/g,
    texts: ["<tool_call>", "<|tool_call|>", "<function="],
  },
  llama: { mark: /<\|python_tag\|>|(?=<function=|\{|\[)/g, texts: ["<|python_tag|>", "<function="] },
  mistral: { mark: /\[TOOL_CALLS\]/g, texts: ["[TOOL_CALLS]"] },
};
/** Tags that may end a call, in any style. */
const CLOSE = ["</tool_call>", "<|/tool_call|>", "</function>"];
/** Keys with which an object without a mark must begin to be taken for a call. */
const KEYS = ["name", "type", "function", "parameters", "arguments", "id"].map((key) => `"${key}"`);
/** Maximum length of whitespace and names that are re-examined with each piece of text. */
const MOST_HELD = 256;
/** Maximum whitespace before a call that is dropped with it. */
const MOST_BLANKS = 16;

export class CallParser {
  readonly #style: Style;
  readonly #names: ReadonlySet<string>;
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

  constructor(style: Style, names: Iterable<string>, schemas: Schemas = new Map()) {
    this.#style = style;
    this.#names = new Set(names);
    this.#schemas = schemas;
  }

  feed(text: string, isLast: boolean): Found {
    const found: Found = { content: "", calls: [] };
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
  #step(text: string, isLast: boolean, found: Found): string | undefined {
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

  #content(text: string, isLast: boolean, found: Found): string {
    const { mark, texts } = OPEN[this.#style];
    mark.lastIndex = 0;
    const open = mark.exec(text);
    // A newline before a call belongs to the call.
    const partial = open !== null || isLast ? 0 : beginningOf(texts, text);
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
  #open(text: string, isLast: boolean, found: Found): string | undefined {
    const near = text.slice(0, MOST_HELD);
    const visible = near.trimStart();
    const blanks = near.slice(0, near.length - visible.length);
    const isWhole = isLast || near.length === MOST_HELD;
    if (visible === "" && !isWhole) return undefined;
    if (visible.startsWith("[") && !this.#isList) return this.#list(text, blanks);
    const begun = this.#reading(visible, isWhole);
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

  /**
   * Returns the reader for the call at the beginning of a text, and the length of what it knows already; "none" if
   * there is no call.
   */
  #reading(text: string, isWhole: boolean): { reader: Reader; length: number } | "maybe" | "none" {
    const unsure = isWhole ? "none" : "maybe";
    if (text.startsWith("{")) {
      const begin = text.slice(1).trimStart();
      if (begin === "") return unsure;
      const keys = this.#isBare ? KEYS : ['"'];
      if (!keys.some((key) => begin.startsWith(key))) {
        return keys.some((key) => key.startsWith(begin)) ? unsure : "none";
      }
      const accepts = this.#isBare ? (name: string): boolean => this.#names.has(name) : undefined;
      return { reader: new CallReader(accepts), length: 0 };
    }
    if (this.#style !== "mistral") {
      const [tag, name] = /^<function=([\w.-]{1,64})>/.exec(text) ?? [];
      if (tag !== undefined && name !== undefined) {
        return { reader: new FunctionReader(name, this.#schemas.get(name)), length: tag.length };
      }
      if ("<function=".startsWith(text) || /^<function=[\w.-]{0,64}$/.test(text)) return unsure;
    }
    if (this.#isBare || this.#style === "hermes") return "none";
    if (this.#style === "llama") {
      if (/^\w[\w.]*\.call\(/.test(text)) return { reader: new BuiltInReader(), length: 0 };
      return /^\w[\w.]*$/.test(text) ? unsure : "none";
    }
    const named = /^([\w.-]{1,64})(?:\[CALL_ID\][^[\s]{0,64})?(?:\[ARGS\]|\s*(?=\{))/.exec(text);
    if (named?.[1] !== undefined) return { reader: new CallReader(undefined, named[1]), length: named[0].length };
    const isName = /^[\w.-]{1,64}(?:\s*|\[[A-Z_]*|\[CALL_ID\][^[\s]{0,64}(?:\[[A-Z]*)?)$/.test(text);
    return isName ? unsure : "none";
  }

  #call(text: string, isLast: boolean, found: Found): string {
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
  #giveBack(text: string, rest: string, found: Found, isJson: boolean): string {
    found.content += this.#taken + text;
    this.#taken = "";
    this.#state = "content";
    if (!isJson) return rest;
    this.#skipped = new JsonEnd();
    if (!this.#skipped.feed(text).isEnd) this.#state = "skip";
    return rest;
  }

  /** Continues after a call: with its closing tag, another call, superfluous brackets, or text. */
  #between(text: string, isLast: boolean, found: Found): string | undefined {
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
    const { texts } = OPEN[this.#style];
    const marks = [...CLOSE, ...texts];
    if (isShort && marks.some((tag) => tag.startsWith(after))) return undefined;
    const isNext = this.#style === "hermes" || /[,;]/.test(junk);
    if (after.startsWith("{") && isNext && !this.#isClosed) {
      this.#taken = junk;
      this.#state = "open";
      return after;
    }
    const isAlone = (after === "" && isLast) || texts.some((tag) => after.startsWith(tag));
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
