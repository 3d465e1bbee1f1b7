/**
 * Readers for calls that are not entirely JSON: `<function=NAME>…</function>`, and Llama's `NAME.call(key="value")`.
 */
import { CallReader, type Reader, type Reading } from "./call-reader.js";
import { beginningOf } from "./parts.js";
import { Definitions, dereferenced, typeOf, typesOf } from "./schema.js";

/** Schemas of the tools' parameters, by tool name. */
export type Schemas = ReadonlyMap<string, unknown>;

const ENDS = ["</function>", "</tool_call>"];

/** Reads what follows `<function=NAME>`: parameters in Qwen3-Coder's XML, delivered once complete, or a JSON object. */
export class FunctionReader implements Reader {
  readonly #name: string;
  readonly #schema: unknown;
  #json: CallReader | undefined;
  /** Text that may be the beginning of an end tag. */
  #held = "";
  text = "";

  constructor(name: string, schema: unknown) {
    this.#name = name;
    this.#schema = schema;
  }

  feed(text: string, isLast: boolean): Reading {
    if (this.#json === undefined && this.text === "") {
      const visible = (this.#held + text).trimStart();
      if (visible.startsWith("{")) this.#json = new CallReader(undefined, this.#name);
    }
    if (this.#json !== undefined) {
      const reading = this.#json.feed(this.#held + text, isLast);
      this.#held = "";
      if (reading.end === "none") this.text = this.#json.text;
      return reading;
    }
    const all = this.#held + text;
    const end = /<\/(?:function|tool_call)>/.exec(all);
    const held = end !== null || isLast ? 0 : beginningOf(ENDS, all);
    const stop = end?.index ?? all.length - held;
    const body = all.slice(0, stop);
    this.#held = end === null ? all.slice(stop) : "";
    // Whitespace alone does not show the form yet.
    if (this.text === "" && body.trim() === "" && end === null && !isLast && body.length < 64) {
      this.#held = all;
      return { rest: "" };
    }
    this.text += body;
    if (end === null) return isLast ? { rest: "", end: "none" } : { rest: "" };
    const args = parameters(this.text, this.#schema);
    const isFunction = end[0] === ENDS[0];
    const rest = all.slice(isFunction ? stop + end[0].length : stop);
    if (args === undefined) {
      this.text += isFunction ? end[0] : "";
      return { rest, end: "none" };
    }
    return { piece: { name: this.#name, arguments: args }, rest, end: "call" };
  }
}

/**
 * Parses parameters of the form `<parameter=KEY>\nVALUE\n</parameter>` into JSON; returns undefined if there is
 * anything else.
 */
function parameters(text: string, schema: unknown): string | undefined {
  const one = /\s*<parameter=([^>]+)>([^]*?)(?:<\/parameter>|(?=<parameter=)|$)\s*/y;
  const found = new Map<string, string>();
  const typesAt = parameterTypes(schema);
  while (one.lastIndex < text.length) {
    const [, key, value] = one.exec(text) ?? [];
    if (key === undefined || value === undefined) return text.trim() === "" ? "{}" : undefined;
    if (found.has(key)) return undefined;
    found.set(key, typed(value.replace(/^\n/, "").replace(/\n$/, ""), typesAt(key)));
  }
  return `{${Array.from(found, ([key, value]) => `${JSON.stringify(key)}: ${value}`).join(", ")}}`;
}

/** Returns the types allowed for each parameter, which are unknown if the schema is invalid. */
function parameterTypes(schema: unknown): (key: string) => Set<unknown> {
  const definitions = new Definitions();
  try {
    const { properties } = dereferenced(definitions.add(schema, "parameters"), definitions);
    return (key) => typesOf((properties as Record<string, unknown> | undefined)?.[key], definitions);
  } catch {
    return () => new Set();
  }
}

/** Returns a value's JSON if it parses as one of these types; otherwise the text as a JSON string. */
function typed(text: string, types: ReadonlySet<unknown>): string {
  const json = text.trim().replace(/^(?:True|False|None)$/, pythonic);
  try {
    const value: unknown = JSON.parse(json);
    const type = typeOf(value);
    const isOne = types.has(type) || (type === "number" && types.has("integer"));
    if (isOne && type !== "string") return json;
  } catch {
    // Not JSON: a plain text.
  }
  return JSON.stringify(text);
}

const pythonic = (word: string): string => ({ True: "true", False: "false", None: "null" })[word] ?? word;

const BUILT_IN = /^(\w[\w.]*)\.call\(((?:[^"')]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)\)/;
/** Maximum characters of a call of a built-in tool, since it is re-examined at each bracket that may end it. */
const MOST_CALL = 4096;

/** Reads Llama's calls of its built-in tools: `brave_search.call(query="…")`. */
export class BuiltInReader implements Reader {
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
      : value.replace(/^(?:True|False|None)$/, pythonic);
    try {
      found[key] = JSON.parse(quoted);
    } catch {
      return undefined;
    }
  }
  return found;
}
