/** Requests as the server at hand reads them. What it would ignore is refused by name. */
import type { ChatCompletionMessageParam, ChatCompletionStreamOptions, StructuredOutputs } from "../api/openai.js";
import { HearthError, invalid } from "../core/errors.js";
import type { ServerKind, ServerTraits } from "./servers.js";

type Fields = Record<string, unknown>;

/** Facts about the server that decide how a request is written. */
export interface Target {
  kind: ServerKind;
  /** Its name in messages. Default: the kind. */
  name?: string;
  traits: ServerTraits;
  model: string;
  /** Whether a field that the server does not know is left out instead of refused. */
  lenient: boolean;
  /** Fields of the server's own, added to every request. */
  extra: Fields;
}

/**
 * Values that request what a server does anyway; `undefined` and `null` do as well. Fields that only identify the caller
 * or are optimisations may always be left out.
 */
const USUAL: Fields = {
  n: 1,
  best_of: 1,
  top_k: 0,
  min_p: 0,
  typical_p: 1,
  repetition_penalty: 1,
  frequency_penalty: 0,
  presence_penalty: 0,
  logprobs: false,
  echo: false,
  suffix: "",
  tools: [],
  tool_choice: "auto",
  parallel_tool_calls: true,
  response_format: { type: "text" },
  continue_final_message: false,
  return_token_ids: false,
  context_shift: false,
  truncate: false,
  reasoning_format: "deepseek",
  encoding_format: "float",
};
/** Left out without a word where the server does not know them: they change no answer. */
const HARMLESS =
  "model user metadata store service_tier safety_identifier prediction prompt_cache_key prompt_cache_retention cache_prompt cache_salt id_slot priority request_id return_progress signal extra".split(
    " ",
  );

/** Returns the body of a request. */
export function toBody(params: object, target: Target): Fields {
  const { kind, traits, lenient } = target;
  const given = { ...params } as Fields;
  const own = given.extra ?? {};
  if (typeof own !== "object" || Array.isArray(own)) throw invalid("extra", "an object of the server's fields", own);
  if ("messages" in given) checkMessages(given, kind);
  translate(given, kind);
  if (Array.isArray(given.messages)) given.messages = given.messages.map((message: Fields) => toMessage(message, kind));
  const body: Fields = { model: target.model };
  for (const [field, value] of Object.entries(given)) {
    if (value === undefined || value === null || field === "model" || field === "extra") continue;
    if (traits.fields.has(field)) {
      body[traits.renamed[field] ?? field] = value;
      continue;
    }
    const isUsual = JSON.stringify(value) === JSON.stringify(USUAL[field]);
    if (isUsual || lenient || HARMLESS.includes(field)) continue;
    throw new HearthError(
      "unsupported_by_server",
      `${target.name ?? kind} has no ${field}, found ${JSON.stringify(value)}`,
      {
        hint: `Leave ${field} out, or name it in extra if this server knows it; lenient: true leaves such fields out.`,
      },
    );
  }
  finish(body, target);
  return { ...body, ...target.extra, ...own };
}

function checkMessages({ messages, continue_final_message }: Fields, kind: ServerKind): void {
  // llama.cpp's server closes the connection on an empty list.
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalid("messages", "a list with at least one message", messages);
  }
  const last = messages.at(-1) as { role?: unknown } | null;
  if (kind === "llama.cpp" && last?.role === "assistant" && continue_final_message !== true) {
    throw new HearthError("unsupported_by_server", "llama.cpp continues a last message that is an assistant's", {
      hint: "Set continue_final_message: true, or end with a user's message.",
    });
  }
}

/** Writes a message as the server's API has it: OpenAI's refuses others' fields, the others' templates lack its role. */
function toMessage(message: Fields, kind: ServerKind): Fields {
  if (kind !== "openai") return message.role === "developer" ? { ...message, role: "system" } : message;
  const { reasoning_content, ...others } = message;
  return reasoning_content === undefined ? message : others;
}

/** Writes Hearth's and vLLM's fields as the server has them. */
function translate(given: Fields, kind: ServerKind): void {
  const isVllm = kind === "vllm" || kind === "ray";
  // The older name is the one that every server knows; OpenAI's newer models know only the other.
  if (kind !== "openai" && given.max_completion_tokens != null) {
    given.max_tokens = given.max_completion_tokens;
    delete given.max_completion_tokens;
  }
  const { enable_thinking, chat_template_kwargs, structured_outputs, response_format } = given;
  if (typeof enable_thinking === "boolean" && (isVllm || kind === "llama.cpp")) {
    given.chat_template_kwargs = { ...(chat_template_kwargs as Fields | undefined), enable_thinking };
    delete given.enable_thinking;
  }
  if (structured_outputs != null && !isVllm) {
    const schema = schemaOf(structured_outputs);
    if (schema !== undefined && response_format == null) {
      given.response_format = { type: "json_schema", json_schema: { name: "answer", schema, strict: true } };
      delete given.structured_outputs;
    }
  }
  // Others keep thoughts in the text unless they were started with a parser, so they are split here either way.
  if (kind !== "llama.cpp") delete given.reasoning_format;
}

/** Returns the JSON schema of a format, if that is all that the format is. */
function schemaOf({ json, choice, regex, grammar }: StructuredOutputs): unknown {
  if (json === undefined || choice !== undefined || regex !== undefined || grammar !== undefined) return undefined;
  if (typeof json !== "string") return json;
  try {
    return JSON.parse(json) as unknown;
  } catch (cause) {
    throw new HearthError("invalid_request", "invalid request: structured_outputs.json must be JSON", { cause });
  }
}

/** Sets what goes beside the caller's fields. */
function finish(body: Fields, { kind, traits }: Target): void {
  if (body.continue_final_message === true) body.add_generation_prompt = false;
  const options = body.stream_options as ChatCompletionStreamOptions | undefined;
  if (options === undefined) return;
  const { include_usage, continuous_usage_stats } = options;
  const wanted: ChatCompletionStreamOptions = {};
  if (include_usage !== undefined) wanted.include_usage = include_usage;
  if (continuous_usage_stats === true && traits.fields.has("continuous_usage_stats")) {
    // llama.cpp has the same numbers under another name.
    if (kind === "llama.cpp") body.timings_per_token = true;
    else wanted.continuous_usage_stats = true;
  }
  if (Object.keys(wanted).length === 0) delete body.stream_options;
  else body.stream_options = wanted;
}

/** Returns the text of the last message where an answer continues it. */
export function continued({ messages = [], continue_final_message }: ContinuedParams): string {
  const content = continue_final_message === true ? messages.at(-1)?.content : undefined;
  return typeof content === "string" ? content : "";
}

interface ContinuedParams {
  messages?: ChatCompletionMessageParam[];
  continue_final_message?: boolean | null;
}
