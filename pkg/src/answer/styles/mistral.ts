/** Style of Mistral: `[TOOL_CALLS][{"name": …, "arguments": …}, …]`, or `[TOOL_CALLS]NAME[ARGS]{…}` since Ministral. */
import { bounded, callSchema, json } from "../../tools/call-format.js";
import { CallParser, type CallSyntax } from "../../tools/call-parser.js";
import { CallReader } from "../../tools/call-reader.js";
import type { Style } from "./style.js";

const SYNTAX: CallSyntax = {
  mark: /\[TOOL_CALLS\]/g,
  marks: ["[TOOL_CALLS]"],
  needsSeparator: true,
  begin(text) {
    const named = /^([\w.-]{1,64})(?:\[CALL_ID\][^[\s]{0,64})?(?:\[ARGS\]|\s*(?=\{))/.exec(text);
    if (named?.[1] !== undefined) return { reader: new CallReader(undefined, named[1]), length: named[0].length };
    const isName = /^[\w.-]{1,64}(?:\s*|\[[A-Z_]*|\[CALL_ID\][^[\s]{0,64}(?:\[[A-Z]*)?)$/.test(text);
    return isName ? "maybe" : "none";
  },
};

export const mistral: Style = {
  parser: (schemas) => new CallParser(SYNTAX, schemas),
  format(tools, parallel) {
    const { $defs, ...call } = callSchema(tools, "arguments");
    const items = { type: "array", items: call, minItems: 1, ...(parallel ? {} : { maxItems: 1 }) };
    const calls = json({ ...items, ...($defs === undefined ? {} : { $defs }) });
    return bounded(`start: <|[TOOL_CALLS]|> calls\ncalls: ${calls}`);
  },
};
