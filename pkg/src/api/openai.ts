/**
 * OpenAI's chat completion types, as far as Hearth serves them. Same names, same shapes, so that code written for
 * OpenAI's client reads the same here. Fields of other local servers (`top_k`, `min_p`, `typical_p`, `repetition_penalty`, `continuous_usage_stats`) keep
 * the names that those servers gave them.
 */
import type { Step, Usage } from "../core/wasm-contract.js";

export type CompletionUsage = Usage;

export interface EmbeddingCreateParams extends Pick<
  FieldsWithoutEffect,
  "user" | "metadata" | "priority" | "request_id"
> {
  input: string | string[];
  /** Accepted for compatibility: an engine holds one model. */
  model?: string;
  /** Default `"float"`. `"base64"`: the bytes of little-endian f32. */
  encoding_format?: "float" | "base64" | null;
  /** Cut a text that is longer than the context instead of refusing it. Default false. */
  truncate?: boolean | null;
  signal?: AbortSignal | null;
}

/** How long it took, with the names of llama.cpp's server; of several answers together. */
export interface Timings {
  /** Prompt tokens that an earlier request had left, and those that were computed. */
  cache_n: number;
  prompt_n: number;
  /** From the request's turn to the first token. */
  prompt_ms: number;
  prompt_per_token_ms: number;
  prompt_per_second: number;
  predicted_n: number;
  /** From the first token to the last; what it is divided by leaves the first one out. */
  predicted_ms: number;
  predicted_per_token_ms: number;
  predicted_per_second: number;
}

export interface EmbeddingObject {
  object: "embedding";
  index: number;
  /** A text where `encoding_format` is `"base64"`. */
  embedding: number[] | string;
}

export interface CreateEmbeddingResponse {
  object: "list";
  data: EmbeddingObject[];
  model: string;
  usage: { prompt_tokens: number; total_tokens: number };
}

export interface ChatCompletionContentPartText {
  type: "text";
  text: string;
}

/** An assistant's, in conversations that were kept elsewhere. */
export interface ChatCompletionContentPartRefusal {
  type: "refusal";
  refusal: string;
}

export interface ChatCompletionMessageParam {
  /** `developer` is OpenAI's newer name for `system` and is treated as such. */
  role: "system" | "developer" | "user" | "assistant" | "tool";
  /** May be absent or null from an assistant, who called, thought or refused. */
  content?: string | (ChatCompletionContentPartText | ChatCompletionContentPartRefusal)[] | null;
  /** What an assistant said in place of an answer. */
  refusal?: string | null;
  /** What an assistant called. */
  tool_calls?: ChatCompletionMessageToolCall[];
  /** Of a tool's message: the call that it answers. */
  tool_call_id?: string;
  name?: string;
  /** What the model thought, for templates that look at it. */
  reasoning_content?: string;
}

export interface ChatCompletionTool {
  type: "function";
  function: {
    name: string;
    description?: string;
    /** A JSON schema. */
    parameters?: Record<string, unknown>;
    strict?: boolean | null;
  };
}

export interface ChatCompletionMessageToolCall {
  id: string;
  type: "function";
  /** `arguments`: JSON, which may be anything unless the call was required. */
  function: { name: string; arguments: string };
}

export type ChatCompletionToolChoiceOption =
  "none" | "auto" | "required" | { type: "function"; function: { name: string } };

export type ResponseFormat =
  | { type: "text" }
  /** `schema`: as llama.cpp and WebLLM have it, WebLLM as a text. */
  | { type: "json_object"; schema?: Record<string, unknown> | string | null }
  | {
      type: "json_schema";
      json_schema: { name: string; description?: string; schema?: Record<string, unknown>; strict?: boolean | null };
    };

/** vLLM's formats beyond OpenAI's; one of them. `grammar` is llguidance's dialect of Lark. */
export interface StructuredOutputs {
  json?: string | Record<string, unknown>;
  regex?: string;
  choice?: string[];
  grammar?: string;
}

export interface TopLogprob {
  token: string;
  bytes: number[];
  logprob: number;
}

export interface ChatCompletionTokenLogprob extends TopLogprob {
  top_logprobs: TopLogprob[];
}

export interface ChatCompletionLogprobs {
  content: ChatCompletionTokenLogprob[];
  refusal: null;
}

export interface ChatCompletionStreamOptions {
  /** Adds a last chunk with the usage and no choices. */
  include_usage?: boolean;
  /** Puts the usage so far into every chunk (vLLM's name). */
  continuous_usage_stats?: boolean;
  /** Accepted for compatibility: chunks do not cross a network. */
  include_obfuscation?: boolean;
}

/** Fields of OpenAI, vLLM and llama.cpp that nothing depends on here: who asks, what others keep, what may only make it faster. */
export interface FieldsWithoutEffect {
  user?: string | null;
  metadata?: Record<string, string> | null;
  store?: boolean | null;
  service_tier?: string | null;
  safety_identifier?: string | null;
  prediction?: unknown;
  prompt_cache_key?: string | null;
  prompt_cache_retention?: string | null;
  cache_prompt?: boolean | null;
  cache_salt?: string | null;
  id_slot?: number | null;
  priority?: number | null;
  request_id?: string | null;
}

export interface ChatCompletionCreateParamsBase extends FieldsWithoutEffect {
  messages: ChatCompletionMessageParam[];
  /** Accepted for compatibility: an engine holds one model. */
  model?: string;
  /** Limit for the answer's tokens; `max_tokens` is the older name of the same. */
  max_completion_tokens?: number | null;
  max_tokens?: number | null;
  /** 0 is greedy. */
  temperature?: number | null;
  top_p?: number | null;
  top_k?: number | null;
  min_p?: number | null;
  typical_p?: number | null;
  /** Over prompt and answer; 1 is off. */
  repetition_penalty?: number | null;
  frequency_penalty?: number | null;
  presence_penalty?: number | null;
  /** From token ids to what is added to their logits. */
  logit_bias?: Record<string, number> | null;
  seed?: number | null;
  stop?: string | string[] | null;
  /** Adds the tokens' ids to the choices (vLLM's name). */
  return_token_ids?: boolean | null;
  /** Answers, one after the other; with a seed, each has the next one. Default 1. */
  n?: number | null;
  /**
   * Whether what a model thinks before it answers (`<think>`) is given apart, as `reasoning_content`: `"deepseek"`, the default,
   * which `"auto"` stands for, or left in the text: `"none"` (llama.cpp's names).
   */
  reasoning_format?: "auto" | "deepseek" | "none" | null;
  /** Ends the request; the second argument's `signal` does the same. */
  signal?: AbortSignal | null;
  /** What the answer has to look like. A schema is always followed to the letter, strict or not. */
  response_format?: ResponseFormat | null;
  structured_outputs?: StructuredOutputs | null;
  tools?: ChatCompletionTool[] | null;
  tool_choice?: ChatCompletionToolChoiceOption | null;
  /** Whether a required answer may be several calls. Default true. */
  parallel_tool_calls?: boolean | null;
  /** Whether each token comes with the logarithm of its probability. */
  logprobs?: boolean | null;
  /** How many of the likeliest tokens come with it, up to 20. */
  top_logprobs?: number | null;
  /**
   * The last message is an assistant's, cut off, and the answer goes on with it; only what is new is given (vLLM's name). Not for
   * models that answer on channels (gpt-oss).
   */
  continue_final_message?: boolean | null;
  /** Further variables of the model's template, such as `enable_thinking` (vLLM's name). */
  chat_template_kwargs?: Record<string, unknown> | null;
}

/** Text that goes on as it is, without a chat template: OpenAI's older completions. */
export interface CompletionCreateParamsBase extends Omit<
  ChatCompletionCreateParamsBase,
  | "messages"
  | "max_completion_tokens"
  | "tools"
  | "tool_choice"
  | "parallel_tool_calls"
  | "chat_template_kwargs"
  | "reasoning_format"
  | "continue_final_message"
  | "logprobs"
  | "top_logprobs"
> {
  prompt: string | string[];
  /** Default 16, as OpenAI has it. */
  max_tokens?: number | null;
  /** How many of the likeliest tokens come with each token's logarithm of its probability; 0 for its own only. */
  logprobs?: number | null;
  /** Puts the prompt before the answer. */
  echo?: boolean | null;
  /** As many as are given (`n`) is as many as are made. */
  best_of?: number | null;
}

export interface CompletionCreateParamsNonStreaming extends CompletionCreateParamsBase {
  stream?: false | null;
}

export interface CompletionCreateParamsStreaming extends CompletionCreateParamsBase {
  stream: true;
  stream_options?: ChatCompletionStreamOptions | null;
}

export type CompletionCreateParams = CompletionCreateParamsNonStreaming | CompletionCreateParamsStreaming;

/** A completion, or a chunk of one: they have the same shape. */
export interface Completion {
  id: string;
  object: "text_completion";
  created: number;
  model: string;
  choices: {
    index: number;
    text: string;
    finish_reason: Step["finish_reason"];
    logprobs: CompletionLogprobs | null;
    token_ids?: number[];
  }[];
  usage?: CompletionUsage | null;
  /** Of a stream on the last chunk. */
  timings?: Timings;
}

/** OpenAI's older shape: parallel lists. */
export interface CompletionLogprobs {
  tokens: string[];
  token_logprobs: number[];
  top_logprobs: Record<string, number>[];
  /** Where each token's text begins, in characters of the choice's text. */
  text_offset: number[];
}

export interface ChatCompletionCreateParamsNonStreaming extends ChatCompletionCreateParamsBase {
  stream?: false | null;
}

export interface ChatCompletionCreateParamsStreaming extends ChatCompletionCreateParamsBase {
  stream: true;
  stream_options?: ChatCompletionStreamOptions | null;
}

export type ChatCompletionCreateParams = ChatCompletionCreateParamsNonStreaming | ChatCompletionCreateParamsStreaming;

export interface RequestOptions {
  signal?: AbortSignal | null;
}

export type FinishReason = "stop" | "length" | "tool_calls";

export interface ChatCompletionMessage {
  role: "assistant";
  /** Null beside calls without text. */
  content: string | null;
  refusal: null;
  tool_calls?: ChatCompletionMessageToolCall[];
  /** What the model thought before it answered. */
  reasoning_content?: string;
}

export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  /** Seconds since 1970. */
  created: number;
  model: string;
  choices: {
    index: number;
    message: ChatCompletionMessage;
    finish_reason: FinishReason;
    logprobs: ChatCompletionLogprobs | null;
    token_ids?: number[];
  }[];
  usage: CompletionUsage;
  timings: Timings;
}

/** Id and name with the first piece of a call, then its arguments as they come. */
export interface ChatCompletionChunkToolCall {
  index: number;
  id?: string;
  type?: "function";
  function: { name?: string; arguments: string };
}

export interface ChatCompletionChunk {
  id: string;
  object: "chat.completion.chunk";
  created: number;
  model: string;
  choices: {
    index: number;
    delta: {
      role?: "assistant";
      content?: string;
      reasoning_content?: string;
      tool_calls?: ChatCompletionChunkToolCall[];
    };
    finish_reason: FinishReason | null;
    logprobs: ChatCompletionLogprobs | null;
    token_ids?: number[];
  }[];
  usage?: CompletionUsage | null;
  /** On the last chunk. */
  timings?: Timings;
}
