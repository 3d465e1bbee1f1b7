/** Conversion of requests of OpenAI's Responses API to chats. What would need a server that keeps answers is refused by name. */
import type {
  ChatCompletionContentPart,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionMessageParam,
  ChatCompletionTool,
  ResponseFormat,
} from "../api/openai.js";
import { invalid } from "../core/errors.js";

type Fields = Record<string, unknown>;
type Chat = Omit<ChatCompletionCreateParamsNonStreaming, "signal" | "stream">;

/** Fields that a chat has under the same name: OpenAI's, and those of local servers. */
const SAME =
  "model metadata user safety_identifier service_tier prompt_cache_key prompt_cache_retention temperature top_p parallel_tool_calls top_k min_p typical_p repetition_penalty frequency_penalty presence_penalty logit_bias seed stop context_shift n_keep enable_thinking thinking_token_budget chat_template_kwargs structured_outputs".split(
    " ",
  );
const READ = "input instructions max_output_tokens reasoning text tools tool_choice stream stream_options".split(" ");
/** Values that ask for what happens anyway. */
const DEFAULTS: Fields = { store: false, background: false, truncation: "disabled", include: [], top_logprobs: 0 };

/** Returns the chat that a request asks for. */
export function toChat(body: Fields): Chat {
  only("", body, [...SAME, ...READ], DEFAULTS);
  const chat: Fields = Object.fromEntries(
    Object.entries(body).filter(([name, value]) => SAME.includes(name) && value != null),
  );
  const messages = toMessages(body.input);
  if (body.instructions != null) {
    messages.unshift({ role: "system", content: text("instructions", body.instructions) });
  }
  chat.messages = messages;
  if (body.max_output_tokens != null) chat.max_completion_tokens = body.max_output_tokens;
  const { effort } = object("reasoning", body.reasoning ?? {}, ["effort"], { summary: null });
  if (effort === "none") chat.enable_thinking = false;
  // The name of the chat's field: it refuses efforts, of which a model's template may know none.
  else if (effort != null) chat.reasoning_effort = effort;
  const { format } = object("text", body.text ?? {}, ["format"], { verbosity: "medium" });
  if (format != null) chat.response_format = toFormat(format);
  if (body.tools != null) chat.tools = list("tools", body.tools).map(toTool);
  if (body.tool_choice != null) chat.tool_choice = toChoice(body.tool_choice);
  return chat as unknown as Chat;
}

function toFormat(value: unknown): ResponseFormat {
  const { type, ...schema } = object("text.format", value, ["type", "name", "description", "schema", "strict"]);
  if (type === "json_schema") return { type, json_schema: schema as { name: string } };
  if (type === "text" || type === "json_object") return { type };
  throw invalid("text.format.type", '"text", "json_object" or "json_schema"', type);
}

function toTool(value: unknown, index: number): ChatCompletionTool {
  const field = `tools[${String(index)}]`;
  const { type } = value as Fields;
  if (type !== "function") throw invalid(`${field}.type`, '"function", because others need a server', type);
  const known = ["type", "name", "description", "parameters", "strict"];
  const given = Object.entries(object(field, value, known)).filter(([key, found]) => key !== "type" && found != null);
  return { type, function: Object.fromEntries(given) as unknown as ChatCompletionTool["function"] };
}

function toChoice(value: unknown): unknown {
  if (typeof value === "string") return value;
  const { type, name } = object("tool_choice", value, ["type", "name"]);
  if (type !== "function") throw invalid("tool_choice.type", '"function"', type);
  return { type, function: { name } };
}

/** Returns the messages of a text or a list of items. An assistant's items that follow one another are one message. */
function toMessages(input: unknown): ChatCompletionMessageParam[] {
  if (typeof input === "string") return [{ role: "user", content: input }];
  const messages: ChatCompletionMessageParam[] = [];
  const assistant = (): ChatCompletionMessageParam => {
    const last = messages.at(-1);
    if (last?.role === "assistant") return last;
    const message: ChatCompletionMessageParam = { role: "assistant", content: "" };
    messages.push(message);
    return message;
  };
  list("input", input).forEach((item, index) => {
    const field = `input[${String(index)}]`;
    const { type = "message" } = item as { type?: unknown };
    switch (type) {
      case "message": {
        const { role, content } = object(field, item, ["type", "id", "status", "role", "content", "phase"]);
        if (role === "user") {
          messages.push({ role, content: userContent(`${field}.content`, content) });
          return;
        }
        const found = text(`${field}.content`, content);
        if (role !== "assistant") messages.push({ role: role as "system", content: found });
        else assistant().content = `${assistant().content as string}${found}`;
        return;
      }
      case "reasoning": {
        const known = ["type", "id", "status", "content", "summary"];
        const { content, summary } = object(field, item, known, { encrypted_content: null });
        const thoughts = text(`${field}.content`, content ?? summary ?? []);
        if (thoughts === "") return;
        const message = assistant();
        message.reasoning_content = (message.reasoning_content ?? "") + thoughts;
        return;
      }
      case "function_call": {
        const { call_id, name, arguments: given } = object(field, item, [...CALL, "name", "arguments"]);
        const id = text(`${field}.call_id`, call_id);
        const call = { name: text(`${field}.name`, name), arguments: text(`${field}.arguments`, given) };
        const message = assistant();
        message.tool_calls = [...(message.tool_calls ?? []), { id, type: "function", function: call }];
        return;
      }
      case "function_call_output": {
        const { call_id, output } = object(field, item, [...CALL, "output"]);
        const tool_call_id = text(`${field}.call_id`, call_id);
        messages.push({ role: "tool", tool_call_id, content: text(`${field}.output`, output) });
        return;
      }
      default:
        throw invalid(`${field}.type`, '"message", "reasoning", "function_call" or "function_call_output"', type);
    }
  });
  return messages;
}

const CALL = ["type", "id", "status", "call_id"];
const TEXTS = ["input_text", "output_text", "reasoning_text", "summary_text", "text"];

/** Returns a text, or the joined texts of parts. */
function text(field: string, value: unknown): string {
  if (typeof value === "string") return value;
  return list(field, value)
    .map((part) => {
      const { type, text, refusal } = part as Fields;
      const found = type === "refusal" ? refusal : TEXTS.includes(type as string) ? text : undefined;
      if (typeof found !== "string") throw invalid(field, "a text or text parts only", type);
      return found;
    })
    .join("");
}

/** Returns the content of the user's message: a text, or parts if it has pictures or sound. */
function userContent(field: string, value: unknown): string | ChatCompletionContentPart[] {
  const isPicture = (part: unknown): boolean => (part as Fields | null)?.type === "input_image";
  const isSound = (part: unknown): boolean => (part as Fields | null)?.type === "input_audio";
  if (!Array.isArray(value) || !value.some((part) => isPicture(part) || isSound(part))) return text(field, value);
  return list(field, value).map((part, index): ChatCompletionContentPart => {
    const at = `${field}[${String(index)}]`;
    // Both APIs have it in the same shape; a server may take it.
    if (isSound(part)) return part as ChatCompletionContentPart;
    if (!isPicture(part)) return { type: "text", text: text(at, [part]) };
    const { image_url, detail } = object(at, part, ["type", "image_url", "detail"]);
    if (typeof image_url !== "string") throw invalid(`${at}.image_url`, "an address of a picture", image_url);
    return { type: "image_url", image_url: { url: image_url, ...(detail != null && { detail: detail as "auto" }) } };
  });
}

function list(field: string, value: unknown): object[] {
  const isObject = (item: unknown): boolean => typeof item === "object" && item !== null;
  if (!Array.isArray(value) || !value.every(isObject)) throw invalid(field, "a list of objects", value);
  return value as object[];
}

function object(field: string, value: unknown, known: string[], defaults: Fields = {}): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(field, "an object", value);
  only(`${field}.`, value as Fields, known, defaults);
  return value as Fields;
}

/** Refuses fields that are not known, unless they spell out a default. */
function only(within: string, fields: Fields, known: string[], defaults: Fields): void {
  for (const [name, value] of Object.entries(fields)) {
    if (value == null || known.includes(name) || JSON.stringify(value) === JSON.stringify(defaults[name])) continue;
    const or = defaults[name] == null ? "" : ` or ${JSON.stringify(defaults[name])}`;
    throw invalid(within + name, `absent${or}, because it is not supported`, value);
  }
}
