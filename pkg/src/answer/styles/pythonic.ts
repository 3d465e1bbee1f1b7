/** Style of LFM2: `<|tool_call_start|>[NAME(key='value', other=1), …]<|tool_call_end|>`; LFM2 also writes a list of JSON. */
import { bounded, inOrder, json, propertiesOf, withDefinitions, type Schema } from "../../tools/call-format.js";
import { CallParser, type CallSyntax } from "../../tools/call-parser.js";
import { PYTHON } from "../../tools/dialects.js";
import { LiteralReader } from "../../tools/literals.js";
import { Definitions, dereferenced, typesOf } from "../../tools/schema.js";
import type { Style } from "./style.js";

const SYNTAX: CallSyntax = {
  mark: /<\|tool_call_start\|>/g,
  marks: ["<|tool_call_start|>"],
  needsSeparator: true,
  begin(text) {
    const [head, name] = /^([\w.-]{1,64})\s{0,8}(?=\()/.exec(text) ?? [];
    if (head !== undefined && name !== undefined) {
      return { reader: new LiteralReader(name, PYTHON, "="), length: head.length };
    }
    return /^[\w.-]{1,64}\s{0,8}$/.test(text) ? "maybe" : "none";
  },
};

export const pythonic: Style = {
  parser: (schemas) => new CallParser(SYNTAX, schemas),
  format(tools, parallel) {
    const rules: string[] = [];
    const calls = tools.map(({ function: { name } }, index) => {
      const definitions = new Definitions();
      const members = propertiesOf(tools, index, definitions).map(({ key, schema, isRequired }) => ({
        rule: `${JSON.stringify(`${key}=`)} ${value(schema, definitions)}`,
        isRequired,
      }));
      return `"${name}(" ${inOrder(rules, `a${String(index)}`, members, '", "')} ")"`;
    });
    const more = parallel ? ' (", " call)*' : "";
    const start = `start: <|tool_call_start|> "[" call${more} "]" <|tool_call_end|>`;
    return bounded([start, `call: ${calls.join(" | ")}`, ...rules].join("\n"));
  },
};

/** Returns an expression for a value: JSON, which Python reads as well but for three words. */
function value(schema: unknown, definitions: Definitions): string {
  const types = [...typesOf(schema, definitions)];
  const { enum: values, const: one } = dereferenced(schema, definitions);
  const isListed = values !== undefined || one !== undefined;
  if (!isListed && types.length > 0 && types.every((type) => type === "boolean" || type === "null")) {
    return `(${types.map((type) => (type === "null" ? '"None"' : '"True" | "False"')).join(" | ")})`;
  }
  const isAlone = !JSON.stringify(schema ?? {}).includes('"#/$defs/');
  return json(withDefinitions((schema ?? {}) as Schema, isAlone ? new Definitions() : definitions));
}
