/**
 * Style of GLM 4.5 and later: `<tool_call>NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value></tool_call>`, with or
 * without line breaks between the tags. Strings have no quotes, and other values are JSON.
 */
import type { ChatCompletionTool } from "../../api/openai.js";
import { bounded, propertiesOf } from "../../tools/call-format.js";
import { CallParser, type CallSyntax } from "../../tools/call-parser.js";
import { beginFunction } from "../../tools/function-reader.js";
import { beginPairs } from "../../tools/pair-reader.js";
import { Definitions } from "../../tools/schema.js";
import type { Style } from "./style.js";
import { valueRule } from "./xml.js";

const SYNTAX: CallSyntax = {
  mark: /<tool_call>|(?=<function=)/g,
  marks: ["<tool_call>", "<function="],
  begin(text, schemas, isBare) {
    const pairs = beginPairs(text, schemas, isBare);
    return pairs === "none" ? beginFunction(text, schemas) : pairs;
  },
};

export const glm: Style = {
  parser: (schemas) => new CallParser(SYNTAX, schemas),
  format: (tools, parallel) => bounded(grammar(tools, parallel)),
};

/** Returns a grammar for calls as in the template: each argument once, in the order of the schema. */
function grammar(tools: ChatCompletionTool[], parallel: boolean): string {
  const rules: string[] = [];
  const calls = tools.map(({ function: { name } }, index) => {
    const definitions = new Definitions();
    const parameters = propertiesOf(tools, index, definitions).map(({ key, schema, isRequired }, i) => {
      const rule = `p${String(index)}_${String(i)}`;
      const begin = JSON.stringify(`<arg_key>${key}</arg_key>`);
      rules.push(
        `${rule}: ${begin} gap "<arg_value>" ${rule}_v gap`,
        `${rule}_v${valueRule(schema, definitions, '"</arg_value>"')}`,
      );
      return isRequired ? rule : `${rule}?`;
    });
    bounded(rules.join("\n"));
    return `"${name}" gap ${parameters.join(" ")}`;
  });
  const start = `start: call${parallel ? " (gap call)*" : ""}`;
  return [start, `call: "<tool_call>" (${calls.join(" | ")}) "</tool_call>"`, 'gap: "\\n"?', ...rules].join("\n");
}
