/** The format of an answer that must call tools, for each style of calls. */
import { HearthError } from "../core/errors.js";
import type { ChatCompletionTool } from "../api/openai.js";
import type { AnswerFormat, TemplateStyle } from "../core/wasm-contract.js";
import { Definitions, dereferenced, typesOf } from "./schema.js";

type Style = NonNullable<TemplateStyle["tool_style"]>;

/** Returns a format for one or more calls of these tools; exactly one without `parallel`. */
export function callFormat(tools: ChatCompletionTool[], style: Style, parallel: boolean): AnswerFormat {
  switch (style) {
    case "hermes": {
      const more = parallel ? ' ("\\n" call)*' : "";
      const body = json(callSchema(tools, "arguments"));
      return bounded({ grammar: `start: call${more}\ncall: "<tool_call>\\n" body "\\n</tool_call>"\nbody: ${body}` });
    }
    case "llama":
      return callSchema(tools, "parameters");
    case "mistral": {
      const { json_schema } = callSchema(tools, "arguments");
      const { $defs, ...call } = json_schema;
      const items = { type: "array", items: call, minItems: 1, ...(parallel ? {} : { maxItems: 1 }) };
      const calls = json({ json_schema: { ...items, ...($defs === undefined ? {} : { $defs }) } });
      return bounded({ grammar: `start: <|[TOOL_CALLS]|> calls\ncalls: ${calls}` });
    }
    case "harmony": {
      const calls = tools.map(({ function: { name } }, i) => {
        const definitions = new Definitions();
        const schema = parametersOf(tools, i, definitions);
        const head = `"commentary to=functions.${name}"`;
        const body = json(withDefinitions(schema, definitions));
        return `call${String(i)}: <|channel|> ${head} " " <|constrain|> "json" <|message|> ${body}`;
      });
      const start = `start: ${calls.map((_, i) => `call${String(i)}`).join(" | ")}`;
      return bounded({ grammar: [start, ...calls].join("\n") });
    }
    case "xml":
      return bounded({ grammar: xmlGrammar(tools, parallel) });
  }
}

/** Maximum characters of a grammar: sending a larger one takes the page longer than it is worth. */
const MOST_CHARACTERS = 1_000_000;

function bounded(format: { grammar: string }): AnswerFormat {
  const { length } = format.grammar;
  if (length <= MOST_CHARACTERS) return format;
  const message = `invalid request: tools must make a grammar of at most ${String(MOST_CHARACTERS)} characters, found ${String(length)}`;
  throw new HearthError("invalid_request", message, { hint: 'Name one function in tool_choice, or use "auto".' });
}

/** Embeds a schema in a grammar, on one line, as models write JSON by themselves; see hearth-grammar's `Format`. */
function json({ json_schema }: { json_schema: object }): string {
  const options = { whitespace_flexible: false, item_separator: ", ", key_separator: ": " };
  return `%json ${JSON.stringify({ "x-guidance": options, ...json_schema })}`;
}

interface Schema extends Record<string, unknown> {
  $defs?: unknown;
}

/** Returns the schema of a tool's parameters, which are an object whatever else the schema says. */
function parametersOf(tools: ChatCompletionTool[], index: number, definitions: Definitions): Schema {
  const field = `tools[${String(index)}].function.parameters`;
  const schema = definitions.add(tools[index]?.function.parameters ?? {}, field);
  return { type: "object", ...(schema as Schema) };
}

function withDefinitions(schema: Schema, { all }: Definitions): { json_schema: Schema } {
  return { json_schema: Object.keys(all).length === 0 ? schema : { ...schema, $defs: all } };
}

function callSchema(tools: ChatCompletionTool[], key: string): { json_schema: Schema } {
  const definitions = new Definitions();
  const calls = tools.map(({ function: { name } }, index) => ({
    type: "object",
    properties: { name: { const: name }, [key]: parametersOf(tools, index, definitions) },
    required: ["name", key],
    additionalProperties: false,
  }));
  return withDefinitions(calls.length === 1 ? (calls[0] ?? {}) : { anyOf: calls }, definitions);
}

/** Keywords that a fixed order of parameter tags cannot express. */
const NOT_IN_XML = ["allOf", "anyOf", "oneOf", "not", "if", "patternProperties", "dependentSchemas", "minProperties"];

/**
 * Returns a grammar for calls as in Qwen3-Coder's template: each parameter once, in the order of the schema, strings
 * without quotes.
 */
function xmlGrammar(tools: ChatCompletionTool[], parallel: boolean): string {
  const rules: string[] = [];
  const calls = tools.map(({ function: { name } }, index) => {
    const definitions = new Definitions();
    const root = dereferenced(parametersOf(tools, index, definitions), definitions);
    const keyword = NOT_IN_XML.find((one) => one in root);
    if (keyword !== undefined) {
      const message = `invalid request: tools[${String(index)}].function.parameters must only list properties where a call is required of this model, which writes calls as XML, found ${keyword}`;
      throw new HearthError("invalid_request", message, { hint: 'Use tool_choice "auto", or list the properties.' });
    }
    const required = (root.required ?? []) as unknown[];
    const parameters = Object.entries((root.properties ?? {}) as Schema).map(([key, schema], i) => {
      const rule = `p${String(index)}_${String(i)}`;
      const begin = JSON.stringify(`<parameter=${key}>\n`);
      rules.push(`${rule}: ${begin} ${rule}_v`, `${rule}_v${xmlValue(schema, definitions)}`);
      return required.includes(key) ? rule : `${rule}?`;
    });
    bounded({ grammar: rules.join("\n") });
    return `"<function=${name}>\n" ${parameters.join(" ")} "</function>\n"`;
  });
  const start = `start: call${parallel ? ' ("\n" call)*' : ""}`;
  const call = `call: "<tool_call>\n" (${calls.join(" | ")}) "</tool_call>"`;
  return [start.replace('"\n"', '"\\n"'), call.replaceAll("\n", "\\n"), ...rules].join("\n");
}

/**
 * Returns the body of a rule for a value with its closing tag. A value that may be a string is written without quotes.
 */
function xmlValue(schema: unknown, definitions: Definitions): string {
  const end = '"\\n</parameter>\\n"';
  const types = typesOf(schema, definitions);
  if (types.size > 0 && !types.has("string")) {
    const isAlone = !JSON.stringify(schema).includes('"#/$defs/');
    return `: ${json(withDefinitions(schema as Schema, isAlone ? new Definitions() : definitions))} ${end}`;
  }
  const { enum: values, const: value } = dereferenced(schema, definitions);
  const known = [values, value].flat().filter((one) => one !== undefined);
  if (known.length === 0) return `[suffix=${end}]: /(?s:.*)/`;
  const texts = known.map((one) => JSON.stringify(typeof one === "string" ? one : JSON.stringify(one)));
  return `: (${texts.join(" | ")}) ${end}`;
}
