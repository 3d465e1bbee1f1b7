/**
 * Takes calls of tools out of an answer, in the ways that models write them:
 *
 * - `hermes` (Qwen, Hermes, SmolLM): `<tool_call>{"name": …, "arguments": …}</tool_call>`, as often as need be;
 * - `llama` (Llama 3.1 and later): `{"name": …, "parameters": …}` as the whole answer, perhaps behind `<|python_tag|>`;
 * - `mistral`: `[TOOL_CALLS][{"name": …, "arguments": …}, …]`, or `[TOOL_CALLS]name[ARGS]{…}` since Ministral.
 */
import { CallReader, JsonEnd } from "./call-reader.js";
import { beginningOf, type CallDelta } from "./parts.js";
import type { ToolStyle } from "../wasm-contract.js";

interface Found {
  content: string;
  calls: CallDelta[];
}

/** What begins a call, and what may stand between calls and after them. */
const TAGS: Record<Exclude<ToolStyle, "harmony">, { open: string[]; between: RegExp }> = {
  hermes: { open: ["<tool_call>"], between: /^(?:\s|<\/tool_call>)*/ },
  llama: { open: ["<|python_tag|>"], between: /^[\s;]*/ },
  mistral: { open: ["[TOOL_CALLS]"], between: /^(?:[\s,\]]|\[TOOL_CALLS\]|\[(?=\s*\{))*/ },
};

export class CallParser {
  readonly #style: Exclude<ToolStyle, "harmony">;
  readonly #names: ReadonlySet<string>;
  /** `maybe`: an object that will be a call if its name is a tool's. */
  #state: "content" | "before" | "call" | "maybe" | "args" = "content";
  #held = "";
  #index = -1;
  #reader = new CallReader();
  #end = new JsonEnd();
  #isFirst = true;

  constructor(style: Exclude<ToolStyle, "harmony">, names: Iterable<string>) {
    this.#style = style;
    this.#names = new Set(names);
  }

  feed(text: string, isLast: boolean): Found {
    const found: Found = { content: "", calls: [] };
    let rest = this.#held + text;
    this.#held = "";
    for (;;) {
      const before = rest;
      const state = this.#state;
      rest = this.#step(rest, isLast, found);
      if (rest === before && state === this.#state) break;
    }
    this.#held = isLast ? "" : rest;
    return found;
  }

  /** Consumes what it can of the text; gives the rest. */
  #step(text: string, isLast: boolean, found: Found): string {
    switch (this.#state) {
      case "content":
        return this.#content(text, isLast, found);
      case "before":
        return this.#before(text, isLast, found);
      case "call":
      case "maybe":
        return this.#call(text, isLast, found);
      case "args":
        return this.#args(text, found);
    }
  }

  #content(text: string, isLast: boolean, found: Found): string {
    const { open } = TAGS[this.#style];
    if (this.#isFirst && this.#style === "llama") {
      const visible = text.trimStart();
      if (visible === "" && !isLast) return text;
      if (visible.startsWith("{")) {
        this.#state = "maybe";
        this.#reader = new CallReader();
        return visible;
      }
    }
    for (const tag of open) {
      const at = text.indexOf(tag);
      if (at < 0) continue;
      // The line's end before a call is the call's.
      found.content += text.slice(0, at).trimEnd();
      this.#state = "before";
      return text.slice(at + tag.length);
    }
    const tag = isLast ? 0 : beginningOf(open, text);
    const held = isLast ? 0 : tag + blanks(text.slice(0, text.length - tag));
    const shown = text.slice(0, text.length - held);
    if (shown !== "") this.#isFirst = false;
    found.content += shown;
    return text.slice(text.length - held);
  }

  /** Between the tag, or another call, and a call. */
  #before(text: string, isLast: boolean, found: Found): string {
    const rest = text.replace(TAGS[this.#style].between, "");
    if (rest === "") return isLast ? "" : text;
    if (rest.startsWith("{")) {
      this.#state = "call";
      this.#reader = new CallReader();
      return rest;
    }
    if (this.#style === "mistral") {
      const named = /^([\w.-]+)(?:\[CALL_ID\][^[]*)?\[ARGS\]\s*(?=\{)/.exec(rest) ?? /^([\w.-]+)\s*(?=\{)/.exec(rest);
      if (named?.[1] !== undefined) {
        this.#index += 1;
        found.calls.push({ index: this.#index, name: named[1], arguments: "" });
        this.#state = "args";
        this.#end = new JsonEnd();
        return rest.slice(named[0].length);
      }
      // A name that has not ended, or the beginning of the tag.
      if (!isLast) return text;
    }
    const { open } = TAGS[this.#style];
    const isTag = open.some((tag) => rest.startsWith(tag) || (!isLast && tag.startsWith(rest)));
    const isClosing = this.#style === "hermes" && !isLast && "</tool_call>".startsWith(rest);
    if (isClosing) return text;
    // Text again, or the next tag.
    this.#state = "content";
    return isTag ? rest : text.replace(/^(?:<\/tool_call>)?\s*/, "");
  }

  #call(text: string, isLast: boolean, found: Found): string {
    const { piece, rest, isEnd } = this.#reader.feed(text);
    if (piece?.name !== undefined) {
      if (this.#state === "maybe" && !this.#names.has(piece.name)) return this.#noCall(rest, found);
      this.#state = "call";
      this.#index += 1;
    }
    if (piece !== undefined && (piece.name !== undefined || piece.arguments !== "")) {
      found.calls.push({ index: this.#index, ...piece });
    }
    if (isEnd) {
      if (this.#state === "maybe") return this.#noCall(rest, found);
      this.#state = "before";
    } else if (isLast && this.#state === "maybe") {
      return this.#noCall(rest, found);
    }
    return rest;
  }

  /** An object that is the answer itself. */
  #noCall(rest: string, found: Found): string {
    found.content += this.#reader.text;
    this.#state = "content";
    this.#isFirst = false;
    return rest;
  }

  #args(text: string, found: Found): string {
    const { taken, isEnd } = this.#end.feed(text);
    if (taken > 0) found.calls.push({ index: this.#index, arguments: text.slice(0, taken) });
    if (isEnd) this.#state = "before";
    return text.slice(taken);
  }
}

/** Blanks at the end, which are the call's if one follows. */
function blanks(text: string): number {
  return text.length - text.trimEnd().length;
}
