/** `tools` and `tool_choice`: what the model's prompt says of them, and how its answer is read. */
import { HearthError, invalid } from "../core/errors.js";
import type { ChatCompletionCreateParams, ChatCompletionTool, PictureInput } from "../api/openai.js";
import { ReasoningSplit } from "../answer/reasoning.js";
import type { AnswerRequest, AskedMessage } from "../core/protocol.js";
import type { AnswerFormat, TemplateStyle } from "../core/wasm-contract.js";
import { STYLES, FALLBACK } from "../answer/styles/index.js";
import type { Style } from "../answer/styles/style.js";
import { asText } from "../tools/messages.js";
import type { ReadingPlan } from "../tools/parts.js";
import { MarkFilter } from "../tools/unwrap.js";

export interface Plan extends ReadingPlan {
  /** Fields of the core's request. */
  request: AnswerRequest<PictureInput>;
  /** Format of the answer, if it must be a call. */
  format?: AnswerFormat;
}

/** Output style of the request's model: according to its template, or only its style of calls. */
export type ModelStyle = TemplateStyle | TemplateStyle["tool_style"];

export function toPlan(
  params: ChatCompletionCreateParams,
  messages: AskedMessage<PictureInput>[],
  model: ModelStyle,
): Plan {
  const { tool_style, thought_marks } =
    typeof model === "object" && model !== null ? model : { tool_style: model, thought_marks: null };
  const tools = toTools(params.tools);
  const offered = chosen(tools, params.tool_choice);
  const style = tool_style === null ? FALLBACK : STYLES[tool_style];
  const plan: Plan = { request: { messages }, parser: parserOf(params, style, thought_marks, offered) };
  if (tool_style === null) plan.request.messages = asText(messages, offered, FALLBACK.texts);
  else if (offered.length > 0) plan.request.tools = offered;
  // Calls may begin with a special token.
  if (style.wrapsAnswers || offered.length > 0) plan.request.skip_special_tokens = false;
  if (isForced(params.tool_choice)) {
    plan.format = style.format(offered, params.parallel_tool_calls !== false);
  }
  return plan;
}

function parserOf(
  { reasoning_format }: ChatCompletionCreateParams,
  style: Style,
  marks: TemplateStyle["thought_marks"],
  offered: ChatCompletionTool[],
): Plan["parser"] {
  const known = ["deepseek", "auto", "none", undefined, null] as unknown[];
  if (!known.includes(reasoning_format)) throw invalid("reasoning_format", '"deepseek" or "none"', reasoning_format);
  const schemas = new Map(offered.map(({ function: { name, parameters } }) => [name, parameters]));
  return (inThoughts) => {
    if (style.wrapsAnswers) return style.parser(schemas);
    const split = reasoning_format === "none" ? undefined : new ReasoningSplit(inThoughts, marks);
    const calls = offered.length > 0 ? style.parser(schemas) : undefined;
    const filter = style.unwraps === undefined ? undefined : new MarkFilter(style.unwraps);
    return {
      feed(text, isLast) {
        const { reasoning, content: wrapped } = split?.feed(text, isLast) ?? { reasoning: "", content: text };
        const content = filter?.feed(wrapped, isLast) ?? wrapped;
        return { ...(calls?.feed(content, isLast) ?? { content, calls: [] }), reasoning };
      },
    };
  };
}

function toTools(tools: unknown): ChatCompletionTool[] {
  if (tools === undefined || tools === null) return [];
  if (!Array.isArray(tools)) throw invalid("tools", "a list of tools", tools);
  return tools.map((tool: ChatCompletionTool | null, i) => {
    const field = `tools[${String(i)}]`;
    if (tool?.type !== "function") throw invalid(`${field}.type`, '"function"', tool?.type);
    const { name, parameters } = (tool as { function?: { name?: unknown; parameters?: unknown } }).function ?? {};
    // OpenAI's rule, which also prevents names from being anything else in a prompt or a grammar.
    if (typeof name !== "string" || !/^[\w-]{1,64}$/.test(name)) {
      throw invalid(`${field}.function.name`, "1 to 64 letters, digits, _ and -", name);
    }
    const isSchema = typeof parameters === "object" && !Array.isArray(parameters);
    if (parameters !== undefined && !isSchema)
      throw invalid(`${field}.function.parameters`, "a JSON schema", parameters);
    return tool;
  });
}

/** Returns the tools to offer to the model. */
function chosen(tools: ChatCompletionTool[], choice: ChatCompletionCreateParams["tool_choice"]): ChatCompletionTool[] {
  if (choice === "none") return [];
  if (typeof choice === "object" && choice !== null) {
    const { name } = (choice as { function?: { name?: unknown } }).function ?? {};
    const named = tools.filter((tool) => tool.function.name === name);
    if (named.length === 0) throw invalid("tool_choice.function.name", "the name of one of the tools", name);
    return named;
  }
  const known = [undefined, null, "auto", "required"] as unknown[];
  if (!known.includes(choice)) throw invalid("tool_choice", "none, auto, required or a function", choice);
  if (choice === "required" && tools.length === 0) {
    throw new HearthError("invalid_request", "invalid request: tool_choice is required and there are no tools");
  }
  return tools;
}

function isForced(choice: ChatCompletionCreateParams["tool_choice"]): boolean {
  return choice === "required" || (typeof choice === "object" && choice !== null);
}
