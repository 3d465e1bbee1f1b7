/**
 * Style of gpt-oss, OpenAI's Harmony: messages on channels. `analysis` holds thoughts, `final` the answer,
 * and a message `to=functions.NAME` is a call. https://cookbook.openai.com/articles/openai-harmony
 *
 * A header is the text that Harmony puts before a message; if it contains anything else, that is content, so that an
 * answer without a header is not lost.
 */
import { bounded, json, parametersOf, withDefinitions } from "../../tools/call-format.js";
import { ArgumentsReader } from "../../tools/call-reader.js";
import { beginningOf, type Parser, type Parts, type Schemas } from "../../tools/parts.js";
import { Definitions } from "../../tools/schema.js";
import type { Style } from "./style.js";

export const harmony: Style = {
  wrapsAnswers: true,
  parser: (schemas) => new HarmonyParser(schemas),
  format(tools) {
    const calls = tools.map(({ function: { name } }, i) => {
      const definitions = new Definitions();
      const schema = parametersOf(tools, i, definitions);
      const head = `"commentary to=functions.${name}"`;
      const body = json(withDefinitions(schema, definitions));
      return `call${String(i)}: <|channel|> ${head} " " <|constrain|> "json" <|message|> ${body}`;
    });
    const start = `start: ${calls.map((_, i) => `call${String(i)}`).join(" | ")}`;
    return bounded([start, ...calls].join("\n"));
  },
};

const MESSAGE = "<|message|>";
const ENDS = ["<|end|>", "<|call|>", "<|return|>"];
/** Tags that end a message; those that begin a header also end an unterminated message. */
const BREAKS = [...ENDS, "<|start|>", "<|channel|>"];
/** A valid header, with runs of whitespace reduced to one space. */
const HEADER =
  /^ ?(?:<\|start\|>)? ?(?:assistant)? ?(?:to=[\w.-]+)? ?(?:<\|channel\|>)? ?(?:analysis|commentary|final)? ?(?:to=[\w.-]+)? ?(?:<\|constrain\|> ?\w*|json|code)? ?$/;
/** Maximum characters of a header. */
const MOST_HEADER = 256;

class HarmonyParser implements Parser {
  readonly #schemas: Schemas;
  /** Starts as `header` since the prompt ends before the channel's name. */
  #state: "header" | "analysis" | "final" | "call" = "header";
  #held = "";
  #index = -1;
  #name = "";
  #args = new ArgumentsReader();
  /** Text of a call's message that may turn out not to be arguments. */
  #raw = "";
  #call: "new" | "given" | "none" = "new";

  constructor(schemas: Schemas) {
    this.#schemas = schemas;
  }

  feed(text: string, isLast: boolean): Parts {
    const parts: Parts = { reasoning: "", content: "", calls: [] };
    let rest = this.#held + text;
    this.#held = "";
    while (rest !== "") {
      const next = this.#state === "header" ? this.#header(rest, isLast, parts) : this.#message(rest, isLast, parts);
      if (next === undefined) {
        this.#held = rest;
        break;
      }
      rest = next;
    }
    if (isLast) this.#end(parts);
    return parts;
  }

  /** Reads a header; returns the rest, or undefined if more text is needed. */
  #header(text: string, isLast: boolean, parts: Parts): string | undefined {
    const near = text.slice(0, MOST_HEADER + MESSAGE.length);
    const at = near.indexOf(MESSAGE);
    const end = /<\|(?:end|call|return)\|>/.exec(near);
    if (end !== null && (at < 0 || end.index < at)) {
      this.#stray(text.slice(0, end.index), parts);
      return text.slice(end.index + end[0].length);
    }
    if (at >= 0) {
      const header = text.slice(0, at);
      this.#stray(header, parts);
      this.#begin(header, parts);
      return text.slice(at + MESSAGE.length);
    }
    if (!isLast && near.length < MOST_HEADER + MESSAGE.length) return undefined;
    const held = isLast ? 0 : beginningOf([MESSAGE, ...ENDS], near);
    this.#stray(near.slice(0, near.length - held), parts);
    if (near.length < text.length || !isLast) this.#state = "final";
    return text.slice(near.length - held);
  }

  /** Treats all text of a header as content if it has more than Harmony's own words. */
  #stray(header: string, parts: Parts): void {
    if (!HEADER.test(header.replace(/\s+/g, " "))) parts.content += header.replace(/<\|\w+\|>/g, "");
  }

  #begin(header: string, parts: Parts): void {
    this.#end(parts);
    const to = /\bto=([\w.-]+)/.exec(header)?.[1];
    const name = to?.startsWith("functions.") ? to.slice("functions.".length) : to;
    // Models sometimes omit the namespace.
    if (name !== undefined && (name !== to || this.#schemas.has(name))) {
      this.#state = "call";
      this.#call = "new";
      this.#name = name;
      this.#args = new ArgumentsReader();
      this.#raw = "";
    } else {
      // A message on the commentary channel without a recipient is meant for the user.
      this.#state = /(?:^|\|>|\s)analysis\b/.test(header) ? "analysis" : "final";
    }
  }

  #message(text: string, isLast: boolean, parts: Parts): string | undefined {
    const end = /<\|(?:end|call|return|start|channel)\|>/.exec(text);
    const held = end !== null || isLast ? 0 : beginningOf(BREAKS, text);
    this.#give(text.slice(0, end?.index ?? text.length - held), parts);
    if (end === null) {
      this.#held = text.slice(text.length - held);
      return "";
    }
    this.#end(parts);
    this.#state = "header";
    return text.slice(end.index + (ENDS.includes(end[0]) ? end[0].length : 0));
  }

  #give(text: string, parts: Parts): void {
    if (text === "") return;
    if (this.#state === "analysis") parts.reasoning += text;
    else if (this.#state !== "call" || this.#call === "none") parts.content += text;
    else if (this.#call === "given") this.#push(text, parts);
    else this.#read(text, false, parts);
  }

  /** Reads a call's message until it is known to be an object. */
  #read(text: string, isLast: boolean, parts: Parts): void {
    this.#raw += text;
    const { args, rest } = this.#args.feed(text, isLast);
    if (args === null) {
      parts.content += this.#raw;
      this.#call = "none";
    } else if (args !== "") {
      this.#push(args + rest, parts);
    }
  }

  #push(args: string, parts: Parts): void {
    if (this.#call === "given") {
      parts.calls.push({ index: this.#index, arguments: args });
      return;
    }
    this.#index += 1;
    this.#call = "given";
    parts.calls.push({ index: this.#index, name: this.#name, arguments: args });
  }

  /** Ends a message, or the answer. */
  #end(parts: Parts): void {
    if (this.#state === "call" && this.#call === "new") this.#read("", true, parts);
    if (this.#state === "call") this.#call = "none";
  }
}
