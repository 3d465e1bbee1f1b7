/** Conversion of the AI SDK's calls to OpenAI's requests, with a warning for each setting without effect. */
import type {
  ChatCompletionContentPart,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionMessageParam,
} from "../api/openai.js";
import { HearthError, invalid } from "../core/errors.js";
import { toPicture } from "./files.js";
import type { CallOptions, PromptMessage, PromptPart, ToolOutput, Warning } from "./spec.js";

/** A request in OpenAI's shape, without its signal. */
export type Params = Omit<ChatCompletionCreateParamsNonStreaming, "signal" | "stream">;

/** Returns the request for a call. Parts that are neither texts nor pictures are refused by name. */
export function toParams(options: CallOptions, model: string): { params: Params; warnings: Warning[] } {
  const { responseFormat: format, reasoning = "provider-default" } = options;
  const warnings: Warning[] = [];
  const params: Params = {
    ...options.providerOptions?.hearth,
    model,
    messages: options.prompt.flatMap(toMessages),
    ...defined({
      max_completion_tokens: options.maxOutputTokens,
      temperature: options.temperature,
      top_p: options.topP,
      top_k: options.topK,
      presence_penalty: options.presencePenalty,
      frequency_penalty: options.frequencyPenalty,
      seed: options.seed,
      stop: options.stopSequences?.length === 0 ? undefined : options.stopSequences,
    }),
    ...toTools(options, warnings),
  };
  if (format?.type === "json") {
    const { schema, name = "answer", description } = format;
    const shape = { name, ...defined({ description }) };
    params.response_format =
      schema === undefined
        ? { type: "json_object" }
        : { type: "json_schema", json_schema: { ...shape, schema: schema as Record<string, unknown> } };
    if (params.tools && params.tool_choice !== "none") {
      const details = "the format covers the whole answer, so that the model cannot call a tool";
      warnings.push({ type: "compatibility", feature: "tools with a JSON format", details });
    }
  }
  if (reasoning !== "provider-default") {
    params.enable_thinking = reasoning !== "none";
    if (reasoning !== "none") {
      const details = `"${reasoning}" only turns thoughts on; providerOptions.hearth.thinking_token_budget limits them`;
      warnings.push({ type: "compatibility", feature: "reasoning", details });
    }
  }
  return { params, warnings };
}

function toTools(options: CallOptions, warnings: Warning[]): Pick<Params, "tools" | "tool_choice"> {
  const tools: NonNullable<Params["tools"]> = [];
  for (const tool of options.tools ?? []) {
    const { name, description, strict } = tool;
    if (tool.type !== "function") {
      warnings.push({ type: "unsupported", feature: `provider-defined tool ${tool.id ?? name}` });
      continue;
    }
    if (tool.inputExamples !== undefined) {
      warnings.push({ type: "unsupported", feature: `inputExamples of tool ${name}` });
    }
    const parameters = tool.inputSchema as Record<string, unknown>;
    tools.push({ type: "function", function: { name, parameters, ...defined({ description, strict }) } });
  }
  if (tools.length === 0) return {};
  const { toolChoice: choice = { type: "auto" } } = options;
  const tool_choice =
    choice.type === "tool" ? { type: "function" as const, function: { name: choice.toolName } } : choice.type;
  return { tools, tool_choice };
}

/** Returns the messages of one: a tool's message has a result for each call. */
function toMessages({ role, content }: PromptMessage): ChatCompletionMessageParam[] {
  if (typeof content === "string") return [{ role, content }];
  switch (role) {
    case "tool":
      return content
        .filter(({ type }) => type !== "tool-approval-response")
        .map((part) => {
          if (part.type !== "tool-result") throw unserved(part, role);
          return { role, tool_call_id: part.toolCallId ?? "", content: toText(part.output) };
        });
    case "assistant":
      return [toAnswer(content)];
    case "user":
      if (content.some(({ type }) => type === "file")) return [{ role, content: content.map(toUserPart) }];
      return [{ role, content: content.map((part) => textOf(part, role)).join("") }];
    default:
      return [{ role, content: content.map((part) => textOf(part, role)).join("") }];
  }
}

function toAnswer(content: readonly PromptPart[]): ChatCompletionMessageParam {
  const [texts, thoughts]: [string[], string[]] = [[], []];
  const calls: NonNullable<ChatCompletionMessageParam["tool_calls"]> = [];
  for (const part of content) {
    if (part.type === "reasoning") thoughts.push(part.text ?? "");
    else if (part.type === "tool-call") {
      const call = { name: part.toolName ?? "", arguments: JSON.stringify(part.input ?? {}) };
      calls.push({ id: part.toolCallId ?? "", type: "function", function: call });
    } else texts.push(textOf(part, "assistant"));
  }
  const message: ChatCompletionMessageParam = { role: "assistant", content: texts.join("") };
  if (thoughts.length > 0) message.reasoning_content = thoughts.join("");
  if (calls.length > 0) message.tool_calls = calls;
  return message;
}

function toUserPart(part: PromptPart): ChatCompletionContentPart {
  return part.type === "file" ? toPicture(part) : { type: "text", text: textOf(part, "user") };
}

function textOf(part: PromptPart, role: string): string {
  if (part.type !== "text") throw unserved(part, role);
  return part.text ?? "";
}

/** Returns a tool's result as the text that the model reads. */
function toText(output: ToolOutput = { type: "nothing" }): string {
  switch (output.type) {
    case "text":
    case "error-text":
      return String(output.value);
    case "json":
    case "error-json":
      return JSON.stringify(output.value);
    case "execution-denied":
      return output.reason ?? "The user denied this call.";
    case "content":
      return (output.value as PromptPart[]).map((part) => textOf(part, "tool")).join("");
    default:
      throw invalid("the output of a tool", "text, json, content or a denial", output.type);
  }
}

function unserved({ type }: PromptPart, role: string): HearthError {
  return new HearthError("invalid_request", `parts of type "${type}" are not supported in messages of role "${role}"`);
}

/** Returns the fields that are not undefined. */
export function defined<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
