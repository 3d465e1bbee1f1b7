/** Turns OpenAI's request into the core's, and refuses what would silently give another answer than asked for. */
import { HearthError } from "./errors.js";
import type { ChatCompletionCreateParams, ChatCompletionMessageParam, CompletionCreateParams } from "./openai.js";
import type { GenerateRequest, WasmMessage } from "./wasm-contract.js";

/** Answers to one request at most: they are computed one after the other. */
const MOST_ANSWERS = 128;
/** OpenAI's default for completions of a text. */
const TEXT_TOKENS = 16;

/** Fields of OpenAI's API that change the answer and that Hearth does not serve. */
const UNSUPPORTED = [
  "tools",
  "tool_choice",
  "functions",
  "function_call",
  "logprobs",
  "top_logprobs",
  "response_format",
  "audio",
  "modalities",
] as const;

const ROLES = ["system", "developer", "user", "assistant", "tool"];

/** One request for each answer that a chat asks for. */
export function toChatRequests(params: ChatCompletionCreateParams): GenerateRequest[] {
  refuseUnsupported(params);
  const limit = params.max_completion_tokens ?? params.max_tokens;
  return copies(params, withSampling({ messages: toMessages(params.messages) }, params, limit));
}

/** One request for each answer to each prompt, those of the first prompt first. */
export function toTextRequests(params: CompletionCreateParams): GenerateRequest[] {
  refuseUnsupported(params);
  const { prompt } = params;
  const prompts: unknown[] = Array.isArray(prompt) ? prompt : [prompt];
  if (prompts.length === 0) throw invalid("prompt", "a text or a list of texts", prompt);
  return prompts.flatMap((prompt) => {
    if (typeof prompt !== "string") throw invalid("prompt", "a text or a list of texts", prompt);
    return copies(params, withSampling({ prompt }, params, params.max_tokens ?? TEXT_TOKENS));
  });
}

function copies({ n }: { n?: number | null }, request: GenerateRequest): GenerateRequest[] {
  const count = n ?? 1;
  if (!Number.isInteger(count) || count < 1 || count > MOST_ANSWERS) {
    throw invalid("n", `an integer from 1 to ${String(MOST_ANSWERS)}`, n);
  }
  const { seed } = request;
  return Array.from({ length: count }, (_, i) =>
    seed === undefined ? request : { ...request, seed: (seed + i) >>> 0 },
  );
}

type SamplingParams = Omit<CompletionCreateParams, "prompt" | "stream">;

function withSampling(
  request: GenerateRequest,
  params: SamplingParams,
  limit: number | null | undefined,
): GenerateRequest {
  set(request, "max_tokens", "max_tokens", limit, (n) => Number.isInteger(n) && n >= 1, "an integer of at least 1");
  set(request, "temperature", "temperature", params.temperature, (t) => t >= 0 && t <= 2, "a number from 0 to 2");
  set(request, "top_p", "top_p", params.top_p, (p) => p > 0 && p <= 1, "a number above 0 and up to 1");
  set(request, "top_k", "top_k", params.top_k, (k) => Number.isInteger(k) && k >= 0, "an integer of at least 0");
  set(request, "min_p", "min_p", params.min_p, (p) => p >= 0 && p <= 1, "a number from 0 to 1");
  set(request, "typical_p", "typical_p", params.typical_p, (p) => p > 0 && p <= 1, "a number above 0 and up to 1");
  const { repetition_penalty, frequency_penalty, presence_penalty } = params;
  const isFactor = (r: number): boolean => r >= 0.01 && r <= 10;
  set(request, "repetition_penalty", "repetition_penalty", repetition_penalty, isFactor, "a number from 0.01 to 10");
  const isPenalty = (p: number): boolean => p >= -2 && p <= 2;
  set(request, "frequency_penalty", "frequency_penalty", frequency_penalty, isPenalty, "a number from -2 to 2");
  set(request, "presence_penalty", "presence_penalty", presence_penalty, isPenalty, "a number from -2 to 2");
  const bias = toLogitBias(params.logit_bias);
  if (bias !== undefined) request.logit_bias = bias;
  set(request, "seed", "seed", params.seed, Number.isSafeInteger, "an integer");
  // The core's seed has 32 bits; OpenAI's may have more.
  if (request.seed !== undefined) request.seed = Number(BigInt.asUintN(32, BigInt(request.seed)));
  const stop = toStop(params.stop);
  if (stop.length > 0) request.stop = stop;
  return request;
}

type NumberField = Exclude<keyof GenerateRequest, "messages" | "prompt" | "stop" | "logit_bias">;

function set(
  request: GenerateRequest,
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

function toMessages(messages: unknown): WasmMessage[] {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalid("messages", "a list with at least one message", messages);
  }
  return messages.map((message: ChatCompletionMessageParam | null, index) => {
    const field = `messages[${String(index)}]`;
    if (typeof message !== "object" || message === null) throw invalid(field, "a message", message);
    if (!ROLES.includes(message.role)) throw invalid(`${field}.role`, ROLES.join(", "), message.role);
    const role = message.role === "developer" ? "system" : message.role;
    return { role, content: toText(`${field}.content`, message.content) };
  });
}

function toText(field: string, content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) throw invalid(field, "a string or a list of text parts", content);
  return content
    .map((part: { type?: unknown; text?: unknown } | null) => {
      if (part?.type !== "text" || typeof part.text !== "string") throw invalid(field, "text parts only", part?.type);
      return part.text;
    })
    .join("");
}

/** Which ids there are only the core knows. */
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

function toStop(stop: unknown): string[] {
  if (stop === undefined || stop === null) return [];
  const list: unknown[] = Array.isArray(stop) ? stop : [stop];
  return list.map((text) => {
    if (typeof text !== "string" || text === "")
      throw invalid("stop", "a string or a list of strings, none empty", text);
    return text;
  });
}

function refuseUnsupported(params: object): void {
  const fields = params as Record<string, unknown>;
  for (const field of UNSUPPORTED) {
    if (isSet(fields[field])) throw invalid(field, "absent, because it is not supported", fields[field]);
  }
}

/** Values that mean the same as leaving the field out are no reason to refuse. */
function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === "none") return false;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object") {
    return "type" in value ? value.type !== "text" : Object.keys(value).length > 0;
  }
  return true;
}

function invalid(field: string, expected: string, found: unknown): HearthError {
  const shown = typeof found === "string" ? `"${found}"` : found === undefined ? "nothing" : JSON.stringify(found);
  return new HearthError("invalid_request", `invalid request: ${field} must be ${expected}, found ${shown}`);
}
