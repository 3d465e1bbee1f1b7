/** Styles that write a list of JSON after `<|tool_call|>`: Granite 3, and Phi-4-mini, which also writes `functools[…]`. */
import type { ChatCompletionTool } from "../../api/openai.js";
import { bounded, callList } from "../../tools/call-format.js";
import { CallParser, type CallSyntax } from "../../tools/call-parser.js";
import { beginFunction } from "../../tools/function-reader.js";
import type { Style } from "./style.js";

const SYNTAX: CallSyntax = {
  mark: /<\|tool_call\|>|functools(?=\[)/g,
  marks: ["<|tool_call|>", "functools["],
  begin: beginFunction,
};

const format = (tools: ChatCompletionTool[], parallel: boolean, end: string): ReturnType<Style["format"]> =>
  bounded(`start: <|tool_call|> calls${end}\ncalls: ${callList(tools, parallel, "arguments")}`);

export const granite: Style = {
  parser: (schemas) => new CallParser(SYNTAX, schemas),
  format: (tools, parallel) => format(tools, parallel, ""),
};

export const phi: Style = {
  parser: granite.parser,
  format: (tools, parallel) => format(tools, parallel, " <|/tool_call|>"),
};
