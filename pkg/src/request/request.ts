/**
 * Converts OpenAI's requests to the core's, and rejects anything that would silently give a different answer from the
 * one requested.
 */
import { invalid } from "../core/errors.js";
import { checkFields } from "./fields.js";
import { toFormat } from "./format.js";
import { SAMPLING_RANGES } from "../core/contract.generated.js";
import type {
  ChatCompletionCreateParams,
  ChatCompletionMessageParam,
  CompletionCreateParams,
  PictureInput,
} from "../api/openai.js";
import type { AnswerRequest, AskedMessage } from "../core/protocol.js";
import { withParsedCalls } from "../tools/messages.js";
import { toPlan, type ModelStyle, type Plan } from "./tools.js";
import type { AdapterUse, AnswerFormat, GenerateRequest } from "../core/wasm-contract.js";
import { textOf, toContent } from "./content.js";

/** A request whose pictures are as the caller gave them. */
type Asked = AnswerRequest<PictureInput>;

/** Maximum number of answers to one request, which are computed one after another. */
const MOST_ANSWERS = 128;
/** OpenAI's default for text completions. */
const TEXT_TOKENS = 16;

const ROLES = ["system", "developer", "user", "assistant", "tool"];

/** Returns one request for each answer that a chat asks for, and the plan for reading them. */
export function toChatRequests(
  params: ChatCompletionCreateParams,
  style: ModelStyle,
): { requests: Asked[]; plan: Plan } {
  check("chat", params);
  const limit = params.max_completion_tokens ?? params.max_tokens;
  let plan = toPlan(params, toMessages(params.messages), style);
  const request = withSampling({ ...plan.request }, params, limit);
  const format = toFormat(params);
  if (format !== undefined && plan.format !== undefined) {
    throw invalid("response_format", "absent where tool_choice asks for a call", params.response_format);
  }
  setFormat(request, format ?? plan.format);
  if (request.format !== undefined) {
    // The format covers the whole answer, which then has no thoughts even if the prompt opens them.
    const told = plan;
    plan = { ...told, parser: () => told.parser(false) };
  }
  const { logprobs, top_logprobs, enable_thinking, chat_template_kwargs, continue_final_message } = params;
  if (continue_final_message === true) {
    if (request.format !== undefined) {
      throw invalid("continue_final_message", "absent where the answer has a format", continue_final_message);
    }
    request.continue_final_message = true;
  }
  if (logprobs !== undefined && logprobs !== null && typeof logprobs !== "boolean") {
    throw invalid("logprobs", "true or false", logprobs);
  }
  if (logprobs === true) request.logprobs = true;
  if (logprobs !== true && top_logprobs) throw invalid("logprobs", "true where top_logprobs is given", logprobs);
  set(request, "top_logprobs", "top_logprobs", top_logprobs, isCount, "an integer from 0 to 20");
  if (typeof enable_thinking === "boolean") request.enable_thinking = enable_thinking;
  const { thinking_token_budget: budget } = params;
  set(request, "thinking_token_budget", "thinking_token_budget", budget, isPositive, "an integer of at least 1");
  if (chat_template_kwargs !== undefined && chat_template_kwargs !== null) {
    request.chat_template_kwargs = toObject("chat_template_kwargs", chat_template_kwargs);
  }
  const resumed = toIds(params);
  if (resumed.length > 0) {
    request.resume_ids = resumed;
    request.repeat_resumed = true;
  }
  return { requests: copies(params, request), plan };
}

/** Checks the tokens that an answer begins with. Their range is left to the core, which knows the vocabulary. */
function toIds({ resume_ids: ids, n, logprobs }: ChatCompletionCreateParams): number[] {
  if (ids === undefined || ids === null) return [];
  const isId = (id: unknown): boolean => typeof id === "number" && Number.isInteger(id) && id >= 0 && id < 2 ** 32;
  if (!Array.isArray(ids) || !ids.every(isId)) throw invalid("resume_ids", "a list of token ids", ids);
  if (ids.length > 0 && (n ?? 1) !== 1) throw invalid("resume_ids", "absent where there are several answers", n);
  if (ids.length > 0 && logprobs === true) throw invalid("resume_ids", "absent beside logprobs", ids);
  return ids;
}

const isPositive = (n: number): boolean => Number.isInteger(n) && n >= 1;
const isCount = (n: number): boolean => Number.isInteger(n) && n >= 0 && n <= 20;

function setFormat(request: Pick<AnswerRequest, "format">, format: AnswerFormat | undefined): void {
  if (format !== undefined) request.format = format;
}

/** Returns one request for each answer to each prompt, all those of the first prompt first. */
export function toTextRequests(params: CompletionCreateParams): AnswerRequest[] {
  // `best_of` is accepted if it equals `n`, since all generated answers are returned.
  const { best_of, ...known } = params;
  check("text", best_of === (params.n ?? 1) ? known : params);
  const { prompt } = params;
  const prompts: unknown[] = Array.isArray(prompt) ? prompt : [prompt];
  if (prompts.length === 0) throw invalid("prompt", "a text or a list of texts", prompt);
  return prompts.flatMap((prompt) => {
    if (typeof prompt !== "string") throw invalid("prompt", "a text or a list of texts", prompt);
    const request = withSampling<AnswerRequest>({ prompt }, params, params.max_tokens ?? TEXT_TOKENS);
    setFormat(request, toFormat(params));
    set(request, "top_logprobs", "logprobs", params.logprobs, isCount, "an integer from 0 to 20");
    if (request.top_logprobs !== undefined) request.logprobs = true;
    return copies(params, request);
  });
}

function copies<Request extends { seed?: number }>({ n }: { n?: number | null }, request: Request): Request[] {
  const count = n ?? 1;
  if (!Number.isInteger(count) || count < 1 || count > MOST_ANSWERS) {
    throw invalid("n", `an integer from 1 to ${String(MOST_ANSWERS)}`, n);
  }
  const { seed } = request;
  return Array.from({ length: count }, (_, i) =>
    seed === undefined ? request : { ...request, seed: (seed + i) >>> 0 },
  );
}

type SamplingField = keyof typeof SAMPLING_RANGES;
interface Range {
  min: number;
  max: number;
  isInteger: boolean;
}
const RANGES = Object.entries(SAMPLING_RANGES) as [SamplingField, Range][];

type SamplingParams = Omit<CompletionCreateParams, "prompt" | "stream" | "logprobs">;

function withSampling<Request extends Omit<AnswerRequest, "messages">>(
  request: Request,
  params: SamplingParams,
  limit: number | null | undefined,
): Request {
  const { prompt_cache_key: key } = params;
  if (key !== undefined && key !== null) {
    if (typeof key !== "string") throw invalid("prompt_cache_key", "a text", key);
    if (key !== "") request.contextKey = key;
  }
  set(request, "max_tokens", "max_tokens", limit, isPositive, "an integer of at least 1");
  if (params.context_shift === true) request.context_shift = true;
  const { n_keep } = params;
  set(request, "n_keep", "n_keep", n_keep, (n) => Number.isInteger(n) && n >= 0, "an integer of at least 0");
  for (const [field, { min, max, isInteger }] of RANGES) {
    // The core's seed has 32 bits; OpenAI's may have more.
    if (field === "seed") continue;
    // Other APIs use -1 for all tokens, which is 0 here.
    const value = field === "top_k" && params.top_k === -1 ? 0 : params[field];
    const isWithin = (n: number): boolean => n >= min && n <= max && (!isInteger || Number.isInteger(n));
    const kind = isInteger ? "an integer" : "a number";
    set(request, field, field, value, isWithin, `${kind} from ${String(min)} to ${String(max)}`);
  }
  const bias = toLogitBias(params.logit_bias);
  if (bias !== undefined) request.logit_bias = bias;
  set(request, "seed", "seed", params.seed, Number.isSafeInteger, "an integer");
  if (request.seed !== undefined) request.seed = Number(BigInt.asUintN(32, BigInt(request.seed)));
  const adapters = toAdapters(params.adapters);
  if (adapters.length > 0) request.adapters = adapters;
  const stop = toStop(params.stop);
  if (stop.length > 0) request.stop = stop;
  return request;
}

type NumberField = {
  [K in keyof GenerateRequest]-?: Required<GenerateRequest>[K] extends number ? K : never;
}[keyof GenerateRequest];

function set(
  request: Omit<GenerateRequest, "messages">,
  key: NumberField,
  field: string,
  value: unknown,
  isValid: (value: number) => boolean,
  expected: string,
): void {
  if (value === undefined || value === null) return;
  if (typeof value !== "number" || !isValid(value)) throw invalid(field, expected, value);
  request[key] = value;
}

function toMessages(messages: unknown): AskedMessage<PictureInput>[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalid("messages", "a list with at least one message", messages);
  }
  return messages.map((message: ChatCompletionMessageParam | null, index) => {
    const field = `messages[${String(index)}]`;
    if (typeof message !== "object" || message === null) throw invalid(field, "a message", message);
    if (!ROLES.includes(message.role)) throw invalid(`${field}.role`, ROLES.join(", "), message.role);
    return toMessage(field, message);
  });
}

function toMessage(field: string, message: ChatCompletionMessageParam): AskedMessage<PictureInput> {
  const { role, content, tool_calls: calls, refusal, ...others } = message;
  if (!Array.isArray(calls ?? [])) throw invalid(`${field}.tool_calls`, "a list of calls", calls);
  const hasCalls = Array.isArray(calls) && calls.length > 0;
  if (hasCalls && role !== "assistant") throw invalid(`${field}.tool_calls`, "an assistant's", role);
  for (const unserved of ["function_call", "audio"]) {
    const value = (others as Record<string, unknown>)[unserved] ?? undefined;
    if (value !== undefined) throw invalid(`${field}.${unserved}`, "absent, because it is not supported", value);
  }
  const isSilent = role === "assistant" && (content === null || content === undefined);
  const found: AskedMessage<PictureInput> = {
    role: role === "developer" ? "system" : role,
    // An answer may consist of calls, thoughts or a refusal alone.
    content: isSilent ? toText(`${field}.refusal`, refusal ?? "") : toContent(`${field}.content`, content, role),
  };
  if (hasCalls) found.tool_calls = withParsedCalls(calls, `${field}.tool_calls`);
  for (const key of ["tool_call_id", "name", "reasoning_content"] as const) {
    const value: unknown = others[key];
    if (value === undefined || value === null) continue;
    if (typeof value !== "string") throw invalid(`${field}.${key}`, "a text", value);
    found[key] = value;
  }
  return found;
}

function toText(field: string, content: unknown): string {
  return textOf(toContent(field, content, "assistant"));
}

/** Checks the biases. The ids are left to the core, which alone knows the vocabulary. */
function toLogitBias(bias: unknown): Record<string, number> | undefined {
  if (bias === undefined || bias === null) return undefined;
  if (typeof bias !== "object" || Array.isArray(bias)) {
    throw invalid("logit_bias", "an object from token ids to numbers", bias);
  }
  for (const value of Object.values(bias)) {
    if (typeof value !== "number" || !(value >= -100 && value <= 100)) {
      throw invalid("logit_bias", "numbers from -100 to 100", value);
    }
  }
  return bias as Record<string, number>;
}

/** Checks the adapters' description. Their names are left to the core, which knows them. */
function toAdapters(adapters: unknown): AdapterUse[] {
  if (adapters === undefined || adapters === null) return [];
  if (!Array.isArray(adapters)) throw invalid("adapters", "a list", adapters);
  return adapters.map((adapter: unknown, index) => {
    const field = `adapters[${String(index)}]`;
    const { name, scale, ...others } = toObject(field, adapter);
    const [other] = Object.keys(others);
    if (other !== undefined) throw invalid(`${field}.${other}`, "absent: an adapter has name and scale", others[other]);
    if (typeof name !== "string" || name === "") throw invalid(`${field}.name`, "the name of an adapter", name);
    if (scale === undefined || scale === null) return { name };
    if (typeof scale !== "number" || !Number.isFinite(scale)) throw invalid(`${field}.scale`, "a number", scale);
    return { name, scale };
  });
}

function toStop(stop: unknown): string[] {
  if (stop === undefined || stop === null) return [];
  const list: unknown[] = Array.isArray(stop) ? stop : [stop];
  return list.map((text) => {
    if (typeof text !== "string" || text === "")
      throw invalid("stop", "a string or a list of strings, none empty", text);
    return text;
  });
}

/** Rejects unsupported fields of a request and of its nested options. */
function check(kind: "chat" | "text", params: object): void {
  const { stream_options, structured_outputs } = params as Record<string, unknown>;
  checkFields(kind, params);
  if (stream_options) checkFields("streamOptions", toObject("stream_options", stream_options), "stream_options.");
  if (structured_outputs) {
    checkFields("structured", toObject("structured_outputs", structured_outputs), "structured_outputs.");
  }
}

function toObject(field: string, value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(field, "an object", value);
  return value as Record<string, unknown>;
}
