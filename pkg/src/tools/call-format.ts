/** Builds formats of answers that must call tools, from the schemas of the tools' parameters. */
import { HearthError } from "../core/errors.js";
import type { ChatCompletionTool } from "../api/openai.js";
import type { AnswerFormat } from "../core/wasm-contract.js";
import { Definitions } from "./schema.js";

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

/** Returns the schema of a call of one of the tools, an object whose arguments are under `key`. */
export function callSchema(tools: ChatCompletionTool[], key: string): Schema {
  const definitions = new Definitions();
  const calls = tools.map(({ function: { name } }, index) => ({
    type: "object",
    properties: { name: { const: name }, [key]: parametersOf(tools, index, definitions) },
    required: ["name", key],
    additionalProperties: false,
  }));
  return withDefinitions(calls.length === 1 ? (calls[0] ?? {}) : { anyOf: calls }, definitions);
}
