/** Reads calls of the form `<function=NAME>…</function>`, which models of several styles write. */
import { CallReader, type Beginning, type Reader, type Reading } from "./call-reader.js";
import { beginningOf, type Schemas } from "./parts.js";
import { Definitions, dereferenced, typeOf, typesOf } from "./schema.js";

const ENDS = ["</function>", "</tool_call>"];

/** Recognises a call of this form at the beginning of a text. */
export function beginFunction(text: string, schemas: Schemas): Beginning {
  const [tag, name] = /^<function=([\w.-]{1,64})>/.exec(text) ?? [];
  if (tag !== undefined && name !== undefined) {
    return { reader: new FunctionReader(name, schemas.get(name)), length: tag.length };
  }
  return "<function=".startsWith(text) || /^<function=[\w.-]{0,64}$/.test(text) ? "maybe" : "none";
}

/** Reads what follows `<function=NAME>`: parameters in Qwen3-Coder's XML, delivered once complete, or a JSON object. */
class FunctionReader implements Reader {
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
export function parameterTypes(schema: unknown): (key: string) => Set<unknown> {
  const definitions = new Definitions();
  try {
    const { properties } = dereferenced(definitions.add(schema, "parameters"), definitions);
    return (key) => typesOf((properties as Record<string, unknown> | undefined)?.[key], definitions);
  } catch {
    return () => new Set();
  }
}

/** Returns a value's JSON if it parses as one of these types; otherwise the text as a JSON string. */
export function typed(text: string, types: ReadonlySet<unknown>): string {
  const json = fromPython(text.trim());
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

/** Returns the JSON of Python's True, False or None, and every other text unchanged. */
export function fromPython(text: string): string {
  return text.replace(
    /^(?:True|False|None)$/,
    (word) => ({ True: "true", False: "false", None: "null" })[word] ?? word,
  );
}
