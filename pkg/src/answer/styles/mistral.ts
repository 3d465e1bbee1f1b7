/**
 * Styles of Mistral, by the version of its tokenizer: `[TOOL_CALLS][{"name": …, "arguments": …}, …]`, from version 11 on
 * `[TOOL_CALLS]NAME[CALL_ID]ID[ARGS]{…}`, and from version 13 on without the id. One parser reads all of them.
 */
import type { ChatCompletionTool } from "../../api/openai.js";
import { bounded, callList, json, parametersOf, withDefinitions } from "../../tools/call-format.js";
import { CallParser, type CallSyntax } from "../../tools/call-parser.js";
import { CallReader } from "../../tools/call-reader.js";
import { Definitions } from "../../tools/schema.js";
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
  format: (tools, parallel) =>
    bounded(`start: <|[TOOL_CALLS]|> calls\ncalls: ${callList(tools, parallel, "arguments")}`),
};

export const mistralIds: Style = {
  parser: mistral.parser,
  format: (tools, parallel) => named(tools, parallel, "<|[CALL_ID]|> /[a-zA-Z0-9]{9}/ "),
};

export const mistralArgs: Style = {
  parser: mistral.parser,
  format: (tools, parallel) => named(tools, parallel, ""),
};

/** Returns a format of calls with the mark before each; `id`: what stands between name and arguments. */
function named(tools: ChatCompletionTool[], parallel: boolean, id: string): ReturnType<Style["format"]> {
  const calls = tools.map(({ function: { name } }, index) => {
    const definitions = new Definitions();
    const schema = parametersOf(tools, index, definitions);
    return `<|[TOOL_CALLS]|> "${name}" ${id}<|[ARGS]|> ${json(withDefinitions(schema, definitions))}`;
  });
  const rules = calls.map((call, i) => `call${String(i)}: ${call}`);
  const start = `start: (${calls.map((_, i) => `call${String(i)}`).join(" | ")})${parallel ? "+" : ""}`;
  return bounded([start, ...rules].join("\n"));
}
