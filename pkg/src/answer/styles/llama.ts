/**
 * Style of Llama 3.1 and later: `{"name": …, "parameters": …}`, alone, in a list or after prose, or
 * `<function=NAME>{…}</function>`; after `<|python_tag|>` also `NAME.call(key="value")`.
 */
import { callSchema } from "../../tools/call-format.js";
import { CallParser, type CallSyntax } from "../../tools/call-parser.js";
import type { Reader, Reading } from "../../tools/call-reader.js";
import { beginFunction, fromPython } from "../../tools/function-reader.js";
import type { Style } from "./style.js";

const SYNTAX: CallSyntax = {
  mark: /<\|python_tag\|>|(?=<function=|\{|\[)/g,
  marks: ["<|python_tag|>", "<function="],
  needsSeparator: true,
  begin(text, schemas, isBare) {
    const begun = beginFunction(text, schemas);
    if (begun !== "none" || isBare) return begun;
    if (/^\w[\w.]*\.call\(/.test(text)) return { reader: new BuiltInReader(), length: 0 };
    return /^\w[\w.]*$/.test(text) ? "maybe" : "none";
  },
};

export const llama: Style = {
  parser: (schemas) => new CallParser(SYNTAX, schemas),
  format: (tools) => ({ json_schema: callSchema(tools, "parameters") }),
};

const BUILT_IN = /^(\w[\w.]*)\.call\(((?:[^"')]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)\)/;
/** Maximum characters of a call of a built-in tool, since it is re-examined at each bracket that may end it. */
const MOST_CALL = 4096;

/** Reads Llama's calls of its built-in tools: `brave_search.call(query="…")`. */
class BuiltInReader implements Reader {
  text = "";

  feed(text: string, isLast: boolean): Reading {
    this.text += text;
    const call = text.includes(")") ? BUILT_IN.exec(this.text.slice(0, MOST_CALL)) : null;
    const [whole, name = "", list = ""] = call ?? [];
    if (whole === undefined && !isLast && this.text.length < MOST_CALL) return { rest: "" };
    const rest = this.text.slice(whole?.length ?? MOST_CALL);
    this.text = whole ?? this.text.slice(0, MOST_CALL);
    const args = whole === undefined ? undefined : keywords(list);
    if (args === undefined) return { rest, end: "none" };
    return { piece: { name, arguments: JSON.stringify(args) }, rest, end: "call" };
  }
}

/**
 * Parses Python's keyword arguments; returns undefined for values other than strings, numbers, True, False and None.
 */
function keywords(list: string): Record<string, unknown> | undefined {
  const one = /\s*(\w+)\s*=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[\w.+-]+)\s*(?:,|$)/y;
  const found: Record<string, unknown> = {};
  while (one.lastIndex < list.trimEnd().length) {
    const [, key, value] = one.exec(list) ?? [];
    if (key === undefined || value === undefined) return undefined;
    const quoted = value.startsWith("'")
      ? `"${value.slice(1, -1).replace(/\\'|"/g, (c) => (c === '"' ? '\\"' : "'"))}"`
      : fromPython(value);
    try {
      found[key] = JSON.parse(quoted);
    } catch {
      return undefined;
    }
  }
  return found;
}
