/** Reads calls of the form `NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value>…</tool_call>`, as GLM 4.5 writes them. */
import type { Beginning, Reader, Reading } from "./call-reader.js";
import { parameterTypes, typed } from "./function-reader.js";
import { beginningOf, type Schemas } from "./parts.js";

const END = "</tool_call>";
const KEY = "<arg_key>";
const VALUE = "<arg_value>";
const VALUE_END = "</arg_value>";

/** Recognises a call of this form behind the tag that begins it. */
export function beginPairs(text: string, schemas: Schemas, isBare: boolean): Beginning {
  if (isBare) return "none";
  const [head, name] = /^([\w.-]{1,64})\s*(?=<arg_key>|<\/tool_call>)/.exec(text) ?? [];
  if (head !== undefined && name !== undefined) {
    return { reader: new PairReader(name, schemas.get(name)), length: head.length };
  }
  const after = /^[\w.-]{0,64}(\s*)(?=$|<)/.exec(text);
  const tag = text.slice(after?.[0].length ?? 0);
  const isCut = after !== null && [KEY, END].some((known) => known.startsWith(tag));
  return isCut ? "maybe" : "none";
}

/** Reads what follows the name; the arguments are delivered once they are complete. */
class PairReader implements Reader {
  readonly #name: string;
  readonly #schema: unknown;
  #isValue = false;
  /** Text that may be the beginning of a tag. */
  #held = "";
  text = "";

  constructor(name: string, schema: unknown) {
    this.#name = name;
    this.#schema = schema;
  }

  feed(text: string, isLast: boolean): Reading {
    let rest = this.#held + text;
    this.#held = "";
    for (;;) {
      // A value may have any other tag.
      const tags = this.#isValue ? [VALUE_END] : [VALUE, END];
      const found = tags.map((tag) => ({ tag, at: rest.indexOf(tag) })).filter(({ at }) => at >= 0);
      const [next] = found.sort((a, b) => a.at - b.at);
      if (next === undefined) {
        const held = isLast ? 0 : beginningOf(tags, rest);
        this.text += rest.slice(0, rest.length - held);
        this.#held = rest.slice(rest.length - held);
        return isLast ? { rest: "", end: "none" } : { rest: "" };
      }
      if (next.tag === END) {
        this.text += rest.slice(0, next.at);
        return this.#end(rest.slice(next.at));
      }
      this.#isValue = !this.#isValue;
      this.text += rest.slice(0, next.at + next.tag.length);
      rest = rest.slice(next.at + next.tag.length);
    }
  }

  #end(rest: string): Reading {
    const args = pairs(this.text, this.#schema);
    if (args === undefined) return { rest, end: "none" };
    return { piece: { name: this.#name, arguments: args }, rest, end: "call" };
  }
}

/** Parses pairs of keys and values into JSON; returns undefined if there is anything else. */
function pairs(text: string, schema: unknown): string | undefined {
  const one = /\s*<arg_key>([^<]+)<\/arg_key>\s*<arg_value>([^]*?)<\/arg_value>\s*/y;
  const found = new Map<string, string>();
  const typesAt = parameterTypes(schema);
  while (one.lastIndex < text.length) {
    const [, key, value] = one.exec(text) ?? [];
    if (key === undefined || value === undefined) return text.trim() === "" ? "{}" : undefined;
    const name = key.trim();
    if (found.has(name)) return undefined;
    found.set(name, typed(value, typesAt(name)));
  }
  return `{${Array.from(found, ([key, value]) => `${JSON.stringify(key)}: ${value}`).join(", ")}}`;
}
