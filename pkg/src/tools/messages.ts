/** Messages with calls of tools, as templates read them; or as text, for templates that know none. */
import type { ChatCompletionTool } from "../openai.js";
import type { WasmMessage } from "../wasm-contract.js";

interface Call {
  id?: string;
  type?: string;
  function: { name: string; arguments: unknown };
}

/** Arguments as an object, which is what templates expect; OpenAI has them as a text. */
export function withParsedCalls(calls: unknown): Call[] {
  return (calls as Call[]).map((call) => {
    const { name, arguments: args } = call.function;
    return { ...call, function: { name, arguments: typeof args === "string" ? parsed(args) : args } };
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Tools and calls as text, in the words of Hermes, for a template that knows nothing of them:
 * https://github.com/NousResearch/Hermes-Function-Calling
 */
export function asText(messages: WasmMessage[], tools: ChatCompletionTool[]): WasmMessage[] {
  const plain = messages.map((message): WasmMessage => {
    const { role, content, tool_calls } = message;
    if (role === "tool") return { role: "user", content: `<tool_response>\n${content ?? ""}\n</tool_response>` };
    if (tool_calls === undefined) return message;
    const calls = (tool_calls as Call[]).map(({ function: { name, arguments: args } }) => {
      return `<tool_call>\n${JSON.stringify({ name, arguments: args })}\n</tool_call>`;
    });
    return { role, content: [...(content ? [content] : []), ...calls].join("\n") };
  });
  if (tools.length === 0) return plain;
  // Some templates refuse a system message, so a new one is not made.
  const at = Math.max(
    0,
    plain.findIndex(({ role }) => role === "system" || role === "user"),
  );
  return plain.map((message, i) =>
    i === at ? { ...message, content: `${instructions(tools)}\n\n${message.content ?? ""}` } : message,
  );
}

function instructions(tools: ChatCompletionTool[]): string {
  return [
    "You may call one or more functions to assist with the user query. Here are the available functions:",
    `<tools>\n${tools.map((tool) => JSON.stringify(tool)).join("\n")}\n</tools>`,
    "For each function call return a JSON object with its name and arguments within <tool_call></tool_call> tags:",
    '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>',
  ].join("\n");
}
