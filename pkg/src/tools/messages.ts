/** Messages with tool calls, in the form that templates read; or as text, for templates without tools. */
import { invalid } from "../core/errors.js";
import type { ChatCompletionTool, PictureInput } from "../api/openai.js";
import type { AskedMessage } from "../core/protocol.js";
import { joined, textOf } from "../request/content.js";
import { objectText } from "./call-reader.js";

type Message = AskedMessage<PictureInput>;

interface Call {
  id?: string;
  type?: string;
  function: { name: string; arguments: unknown };
}

/** Converts the arguments of calls to objects, which templates expect; OpenAI has them as strings. */
export function withParsedCalls(calls: unknown[], field: string): Call[] {
  return calls.map((call, i) => {
    const at = `${field}[${String(i)}]`;
    const { type = "function", function: called, ...others } = (call ?? {}) as Partial<Call>;
    if (type !== "function") throw invalid(`${at}.type`, '"function"', type);
    if (typeof called?.name !== "string") throw invalid(at, "calls of functions with names", call);
    const { name, arguments: args = null } = called;
    const text = objectText(typeof args === "string" ? args : JSON.stringify(args));
    if (text === undefined) throw invalid(`${at}.function.arguments`, "a JSON object", args);
    return { ...others, type, function: { name, arguments: asObject(text) } };
  });
}

function asObject(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return typeof value === "string" ? asObject(value) : value;
}

/** Texts by which a style writes tools, calls and results into messages. */
export interface CallTexts {
  /** Describes the tools to the model, and how to call them. */
  instructions(tools: ChatCompletionTool[]): string;
  call(name: string, args: unknown): string;
  result(content: string): string;
}

/** Writes tools and calls as text, for a template that does not support them. */
export function asText(messages: Message[], tools: ChatCompletionTool[], texts: CallTexts): Message[] {
  const plain = messages.map((message): Message => {
    const { role, content, tool_calls } = message;
    if (role === "tool") return { role: "user", content: texts.result(textOf(content)) };
    if (tool_calls === undefined) return message;
    const calls = (tool_calls as Call[]).map(({ function: { name, arguments: args } }) => texts.call(name, args));
    const text = textOf(content);
    return { role, content: [...(text === "" ? [] : [text]), ...calls].join("\n") };
  });
  const turns = oneTurn(messages, plain);
  if (tools.length === 0) return turns;
  // Some templates reject a system message, so none is added.
  const at = Math.max(
    0,
    turns.findIndex(({ role }) => role === "system" || role === "user"),
  );
  return turns.map((message, i) =>
    i === at ? { ...message, content: joined(`${texts.instructions(tools)}\n\n`, message.content) } : message,
  );
}

/** Merges tool results with adjacent user messages into one turn: many templates reject two user turns in a row. */
function oneTurn(messages: Message[], plain: Message[]): Message[] {
  const turns: Message[] = [];
  plain.forEach((message, i) => {
    const last = turns.at(-1);
    const isResult = messages[i]?.role === "tool" || messages[i - 1]?.role === "tool";
    if (last?.role === "user" && message.role === "user" && isResult) {
      turns[turns.length - 1] = { ...last, content: joined(last.content, "\n", message.content) };
    } else {
      turns.push(message);
    }
  });
  return turns;
}
