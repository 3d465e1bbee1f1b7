/**
 * Style of Qwen3-Coder: `<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`. Its models
 * also write calls as Hermes does, and Hermes's models write them in this form, so that one parser reads both.
 */
import type { ChatCompletionTool } from "../../api/openai.js";
import { bounded, json, propertiesOf, withDefinitions, type Schema } from "../../tools/call-format.js";
import { Definitions, dereferenced, typesOf } from "../../tools/schema.js";
import { hermes } from "./hermes.js";
import type { Style } from "./style.js";

/** A parameter's closing tag, as a grammar's text. */
const END = '"\\n</parameter>\\n"';

export const xml: Style = {
  parser: hermes.parser,
  format: (tools, parallel) => bounded(xmlGrammar(tools, parallel)),
};

/**
 * Returns a grammar for calls as in Qwen3-Coder's template: each parameter once, in the order of the schema, strings
 * without quotes.
 */
function xmlGrammar(tools: ChatCompletionTool[], parallel: boolean): string {
  const rules: string[] = [];
  const calls = tools.map(({ function: { name } }, index) => {
    const definitions = new Definitions();
    const parameters = propertiesOf(tools, index, definitions).map(({ key, schema, isRequired }, i) => {
      const rule = `p${String(index)}_${String(i)}`;
      const begin = JSON.stringify(`<parameter=${key}>\n`);
      rules.push(`${rule}: ${begin} ${rule}_v`, `${rule}_v${valueRule(schema, definitions, END)}`);
      return isRequired ? rule : `${rule}?`;
    });
    bounded(rules.join("\n"));
    return `"<function=${name}>\n" ${parameters.join(" ")} "</function>\n"`;
  });
  const start = `start: call${parallel ? ' ("\n" call)*' : ""}`;
  const call = `call: "<tool_call>\n" (${calls.join(" | ")}) "</tool_call>"`;
  return [start.replace('"\n"', '"\\n"'), call.replaceAll("\n", "\\n"), ...rules].join("\n");
}

/**
 * Returns the body of a rule for a value with its closing tag, `end` as a grammar's text. A value that may be a string is
 * written without quotes.
 */
export function valueRule(schema: unknown, definitions: Definitions, end: string): string {
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
