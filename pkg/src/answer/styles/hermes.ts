/**
 * Style of Hermes, Qwen and SmolLM: any number of `<tool_call>{"name": …, "arguments": …}</tool_call>`, and
 * Qwen3-Coder's form `<function=NAME><parameter=KEY>…</parameter></function>`, with or without the tags.
 * https://github.com/NousResearch/Hermes-Function-Calling
 */
import { bounded, callSchema, json } from "../../tools/call-format.js";
import { CallParser, type CallSyntax } from "../../tools/call-parser.js";
import { beginFunction } from "../../tools/function-reader.js";
import type { DescribedStyle } from "./style.js";

const SYNTAX: CallSyntax = {
  mark: /<tool_call>|<\|tool_call\|>|(?=<function=)/g,
  marks: ["<tool_call>", "<|tool_call|>", "<function="],
  begin: beginFunction,
};

export const hermes: DescribedStyle = {
  parser: (schemas) => new CallParser(SYNTAX, schemas),
  format(tools, parallel) {
    const more = parallel ? ' ("\\n" call)*' : "";
    const body = json(callSchema(tools, "arguments"));
    return bounded(`start: call${more}\ncall: "<tool_call>\\n" body "\\n</tool_call>"\nbody: ${body}`);
  },
  texts: {
    instructions: (tools) =>
      [
        "You may call one or more functions to assist with the user query. Here are the available functions:",
        `<tools>\n${tools.map((tool) => JSON.stringify(tool)).join("\n")}\n</tools>`,
        "For each function call return a JSON object with its name and arguments within <tool_call></tool_call> tags:",
        '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>',
      ].join("\n"),
    call: (name, args) => `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`,
    result: (content) => `<tool_response>\n${content}\n</tool_response>`,
  },
};
