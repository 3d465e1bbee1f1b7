/**
 * Style of Command R7B and later: `<|START_ACTION|>[{"tool_call_id": "0", "tool_name": …, "parameters": …}]<|END_ACTION|>`,
 * or an answer between `<|START_RESPONSE|>` and `<|END_RESPONSE|>`.
 */
import { bounded, callList } from "../../tools/call-format.js";
import { CallParser, type CallSyntax } from "../../tools/call-parser.js";
import type { Style } from "./style.js";

const SYNTAX: CallSyntax = {
  mark: /<\|START_ACTION\|>/g,
  marks: ["<|START_ACTION|>"],
  begin: () => "none",
};

export const cohere: Style = {
  unwraps: ["<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"],
  parser: (schemas) => new CallParser(SYNTAX, schemas),
  format(tools, parallel) {
    const id = { tool_call_id: { type: "string", pattern: "^[0-9]{1,2}$" } };
    const calls = callList(tools, parallel, "parameters", "tool_name", id);
    return bounded(`start: <|START_ACTION|> calls <|END_ACTION|>\ncalls: ${calls}`);
  },
};
