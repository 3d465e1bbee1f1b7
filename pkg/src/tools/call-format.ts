/** Builds formats of answers that must call tools, from the schemas of the tools' parameters. */
import { HearthError } from "../core/errors.js";
import type { ChatCompletionTool } from "../api/openai.js";
import type { AnswerFormat } from "../core/wasm-contract.js";
import { Definitions, dereferenced } from "./schema.js";

/** Maximum characters of a grammar: sending a larger one takes the page longer than it is worth. */
const MOST_CHARACTERS = 1_000_000;

/** Returns a grammar's format, and rejects a grammar that is too large. */
export function bounded(grammar: string): AnswerFormat {
  const { length } = grammar;
  if (length <= MOST_CHARACTERS) return { grammar };
  const message = `invalid request: tools must make a grammar of at most ${String(MOST_CHARACTERS)} characters, found ${String(length)}`;
  throw new HearthError("invalid_request", message, { hint: 'Name one function in tool_choice, or use "auto".' });
}

/** Embeds a schema in a grammar, on one line, as models write JSON by themselves; see hearth-grammar's `Format`. */
export function json(schema: object): string {
  const options = { whitespace_flexible: false, item_separator: ", ", key_separator: ": " };
  return `%json ${JSON.stringify({ "x-guidance": options, ...schema })}`;
}

export interface Schema extends Record<string, unknown> {
  $defs?: unknown;
}

/** Returns the schema of a tool's parameters, which are an object whatever else the schema says. */
export function parametersOf(tools: ChatCompletionTool[], index: number, definitions: Definitions): Schema {
  const field = `tools[${String(index)}].function.parameters`;
  const schema = definitions.add(tools[index]?.function.parameters ?? {}, field);
  return { type: "object", ...(schema as Schema) };
}

/** Returns a schema together with the definitions that it refers to. */
export function withDefinitions(schema: Schema, { all }: Definitions): Schema {
  return Object.keys(all).length === 0 ? schema : { ...schema, $defs: all };
}

/** Property of a tool's parameters. */
export interface Property {
  key: string;
  schema: unknown;
  isRequired: boolean;
}

/** Keywords that a fixed order of properties cannot express. */
const UNORDERED = ["allOf", "anyOf", "oneOf", "not", "if", "patternProperties", "dependentSchemas", "minProperties"];

/** Returns the properties of a tool's parameters, for styles that write them in the schema's order. */
export function propertiesOf(tools: ChatCompletionTool[], index: number, definitions: Definitions): Property[] {
  const root = dereferenced(parametersOf(tools, index, definitions), definitions);
  const keyword = UNORDERED.find((one) => one in root);
  if (keyword !== undefined) {
    const message = `invalid request: tools[${String(index)}].function.parameters must only list properties where a call is required of this model, which does not write calls as JSON, found ${keyword}`;
    throw new HearthError("invalid_request", message, { hint: 'Use tool_choice "auto", or list the properties.' });
  }
  const required = (root.required ?? []) as unknown[];
  return Object.entries((root.properties ?? {}) as Schema).map(([key, schema]) => {
    return { key, schema, isRequired: required.includes(key) };
  });
}

/**
 * Adds rules for members in a fixed order, of which the optional ones may be missing, and returns an expression for them.
 * `rule`: the expression of one member.
 */
export function inOrder(
  rules: string[],
  name: string,
  members: readonly { rule: string; isRequired: boolean }[],
  separator: string,
): string {
  // From each member on there are two rules: `first` if none came before, `next` if one did.
  const first = (i: number): string => `${name}_first${String(i)}`;
  const next = (i: number): string => `${name}_next${String(i)}`;
  members.forEach(({ rule, isRequired }, i) => {
    const isLast = i === members.length - 1;
    const after = isLast ? "" : ` ${next(i + 1)}`;
    const without = isRequired ? "" : ` | ${isLast ? '""' : first(i + 1)}`;
    rules.push(`${first(i)}: ${rule}${after}${without}`);
    const one = `${separator} ${rule}`;
    if (i > 0) rules.push(`${next(i)}: ${isRequired ? one : `(${one})?`}${after}`);
  });
  return members.length === 0 ? "" : first(0);
}

/**
 * Returns the schema of a call of one of the tools, an object whose arguments are under `key` and whose name is under
 * `nameKey`; `before`: properties before these.
 */
export function callSchema(tools: ChatCompletionTool[], key: string, nameKey = "name", before: object = {}): Schema {
  const definitions = new Definitions();
  const calls = tools.map(({ function: { name } }, index) => ({
    type: "object",
    properties: { ...before, [nameKey]: { const: name }, [key]: parametersOf(tools, index, definitions) },
    required: [...Object.keys(before), nameKey, key],
    additionalProperties: false,
  }));
  return withDefinitions(calls.length === 1 ? (calls[0] ?? {}) : { anyOf: calls }, definitions);
}

/** Returns the expression of a list of calls as JSON, of exactly one without `parallel`; see `callSchema`. */
export function callList(
  tools: ChatCompletionTool[],
  parallel: boolean,
  key: string,
  nameKey?: string,
  before?: object,
): string {
  const { $defs, ...call } = callSchema(tools, key, nameKey, before);
  const items = { type: "array", items: call, minItems: 1, ...(parallel ? {} : { maxItems: 1 }) };
  return json({ ...items, ...($defs === undefined ? {} : { $defs }) });
}
