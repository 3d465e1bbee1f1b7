/**
 * OpenAI's chat completion types, as far as Hearth serves them, with the same names and shapes, so that code written
 * for OpenAI's client looks the same here. Fields of other local servers (`top_k`, `min_p`, `typical_p`,
 * `repetition_penalty`, `continuous_usage_stats`) keep their names there.
 */
import type { TokenDelta, Usage } from "../core/wasm-contract.js";
import type { PromptProgress, ServedBy, Timings } from "./serving.js";

export type CompletionUsage = Usage;

export type {
  CreateEmbeddingResponse,
  EmbeddingCreateParams,
  EmbeddingInputPart,
  EmbeddingObject,
} from "./openai-embeddings.js";

export interface ChatCompletionContentPartText {
  type: "text";
  text: string;
  /** Languages of a text to translate, in messages of the user, for templates that read them there (TranslateGemma). */
  source_lang_code?: string;
  target_lang_code?: string;
}

/** Refusal by an assistant, in conversations recorded elsewhere. */
export interface ChatCompletionContentPartRefusal {
  type: "refusal";
  refusal: string;
}

/** Detail in which a picture is looked at: `"low"` costs the fewest tokens, `"auto"` is what the model's makers do. */
export type PictureDetail = "auto" | "low" | "high";

/**
 * A picture: an https, data or blob address, or, beyond OpenAI's API, one that the page has. A model on this device fetches
 * an address once, and knows it again in later turns.
 */
export type PictureInput = string | Blob | ImageBitmap | ImageData | HTMLCanvasElement | OffscreenCanvas;

/** A picture in a message of the user. */
export interface ChatCompletionContentPartImage {
  type: "image_url";
  image_url: { url: PictureInput; detail?: PictureDetail | null };
}

/** Sound in a message of the user, for models of servers that hear. Models on this device do not, and refuse it. */
export interface ChatCompletionContentPartInputAudio {
  type: "input_audio";
  input_audio: {
    /** The file's bytes in base64. */
    data: string;
    format: "wav" | "mp3";
  };
}

export type ChatCompletionContentPart =
  | ChatCompletionContentPartText
  | ChatCompletionContentPartRefusal
  | ChatCompletionContentPartImage
  | ChatCompletionContentPartInputAudio;

export interface ChatCompletionMessageParam {
  /** `developer` is OpenAI's newer name for `system` and is treated as such. */
  role: "system" | "developer" | "user" | "assistant" | "tool";
  /** May be absent or null for an assistant that called a tool, thought or refused. Pictures are the user's only. */
  content?: string | ChatCompletionContentPart[] | null;
  /** Refusal that an assistant gave instead of an answer. */
  refusal?: string | null;
  /** Calls that an assistant made. */
  tool_calls?: ChatCompletionMessageToolCall[];
  /** Id of the call that a tool's message answers. */
  tool_call_id?: string;
  name?: string;
  /** The model's thoughts, for templates that use them. */
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
  /** `arguments` is JSON as the model wrote it: it may be invalid unless the call was required. */
  function: { name: string; arguments: string };
}

export type ChatCompletionToolChoiceOption =
  "none" | "auto" | "required" | { type: "function"; function: { name: string } };

export type ResponseFormat =
  | { type: "text" }
  /** `schema` as in llama.cpp and WebLLM; WebLLM passes it as a string. */
  | { type: "json_object"; schema?: Record<string, unknown> | string | null }
  | {
      type: "json_schema";
      json_schema: { name: string; description?: string; schema?: Record<string, unknown>; strict?: boolean | null };
    };

/** vLLM's formats beyond OpenAI's, exactly one of which may be given. `grammar` is in llguidance's dialect of Lark. */
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

/**
 * Fields of OpenAI, vLLM and llama.cpp that have no effect here: they identify the caller, control what a server
 * stores, or are mere optimisations.
 */
export interface FieldsWithoutEffect {
  user?: string | null;
  metadata?: Record<string, string> | null;
  store?: boolean | null;
  service_tier?: string | null;
  safety_identifier?: string | null;
  prediction?: unknown;
  /** Key under which an engine with `contextStore` keeps the conversation; of no effect without. */
  prompt_cache_key?: string | null;
  prompt_cache_retention?: string | null;
  cache_prompt?: boolean | null;
  cache_salt?: string | null;
  id_slot?: number | null;
  priority?: number | null;
  request_id?: string | null;
}

/** An adapter, as a request chooses it. */
export interface AdapterChoice {
  /** Name that it was added with. */
  name: string;
  /** Factor of its change; default: the one that it was added with. */
  scale?: number | null;
}

export interface ChatCompletionCreateParamsBase extends FieldsWithoutEffect {
  messages: ChatCompletionMessageParam[];
  /** Accepted for compatibility: an engine holds one model. */
  model?: string;
  /** Limit on the answer's tokens; `max_tokens` is the older name. */
  max_completion_tokens?: number | null;
  max_tokens?: number | null;
  /** 0 is greedy. */
  temperature?: number | null;
  top_p?: number | null;
  top_k?: number | null;
  min_p?: number | null;
  typical_p?: number | null;
  /** Applies to prompt and answer; 1 turns it off. */
  repetition_penalty?: number | null;
  frequency_penalty?: number | null;
  presence_penalty?: number | null;
  /** Maps token ids to values that are added to their logits. */
  logit_bias?: Record<string, number> | null;
  seed?: number | null;
  stop?: string | string[] | null;
  /**
   * Whether the oldest tokens go when the context is full (llama.cpp's name). Default: the answer ends there with
   * `"length"`, and a prompt that is too long is refused.
   */
  context_shift?: boolean | null;
  /** Tokens at the beginning that a shift keeps, up to half of the context (llama.cpp's name). Default 1. */
  n_keep?: number | null;
  /** Adapters (LoRA) of the engine that the answer is made with, each with the factor of its change. Default: none. */
  adapters?: AdapterChoice[] | null;
  /** Adds the token ids to the choices (vLLM's name). */
  return_token_ids?: boolean | null;
  /** Number of answers, generated one after another; each uses the next seed if one is given. Default 1. */
  n?: number | null;
  /**
   * Whether the model's thoughts (`<think>`) are returned separately as `reasoning_content`: `"deepseek"`, the default,
   * also accepted as `"auto"`, or left in the text: `"none"` (llama.cpp's names).
   */
  reasoning_format?: "auto" | "deepseek" | "none" | null;
  /** Cancels the request, as does the second argument's `signal`. */
  signal?: AbortSignal | null;
  /** Format of the answer. A schema is always enforced, strict or not. */
  response_format?: ResponseFormat | null;
  structured_outputs?: StructuredOutputs | null;
  tools?: ChatCompletionTool[] | null;
  tool_choice?: ChatCompletionToolChoiceOption | null;
  /** Whether a required answer may contain several calls. Default true. */
  parallel_tool_calls?: boolean | null;
  /** Whether each token comes with its log-probability. */
  logprobs?: boolean | null;
  /** Number of likeliest alternatives returned with each token, up to 20. */
  top_logprobs?: number | null;
  /**
   * Continues the last message, an unfinished assistant's one, and returns only the new text (vLLM's name). Not for
   * models that answer on channels (gpt-oss).
   */
  continue_final_message?: boolean | null;
  /**
   * Begins the answer with these tokens, the `token_ids` of one that was interrupted: they come again at once, and then what
   * would have followed, if the request and its `seed` are the same. Not beside `logprobs`, and for one answer only.
   */
  resume_ids?: number[] | null;
  /**
   * Whether the model thinks before it answers. Refused for a model whose template has no switch for it. Default: the
   * template's.
   */
  enable_thinking?: boolean | null;
  /** Most tokens of thoughts; then they are ended, and the answer follows (vLLM's name). Not beside `logprobs`. */
  thinking_token_budget?: number | null;
  /** Additional variables for the model's template (vLLM's name). */
  chat_template_kwargs?: Record<string, unknown> | null;
}

/** Parameters of OpenAI's older completions, which continue a text without a chat template. */
export interface CompletionCreateParamsBase extends Omit<
  ChatCompletionCreateParamsBase,
  | "messages"
  | "max_completion_tokens"
  | "tools"
  | "tool_choice"
  | "parallel_tool_calls"
  | "enable_thinking"
  | "thinking_token_budget"
  | "chat_template_kwargs"
  | "reasoning_format"
  | "continue_final_message"
  | "resume_ids"
  | "logprobs"
  | "top_logprobs"
> {
  prompt: string | string[];
  /** Default 16, as in OpenAI's API. */
  max_tokens?: number | null;
  /** Number of likeliest alternatives returned with each token's log-probability; 0 returns only the token's own. */
  logprobs?: number | null;
  /** Puts the prompt before the answer. */
  echo?: boolean | null;
  /** Must equal `n`: all generated answers are returned. */
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

/** A completion, or a chunk of one, which has the same shape. */
export interface Completion {
  id: string;
  object: "text_completion";
  created: number;
  model: string;
  choices: {
    index: number;
    text: string;
    finish_reason: TokenDelta["finish_reason"];
    logprobs: CompletionLogprobs | null;
    token_ids?: number[];
  }[];
  usage?: CompletionUsage | null;
  /** Set on the last chunk of a stream. */
  timings?: Timings;
  /** Set by servers, the browser's model and routers (`hearth-llm/remote`). */
  served_by?: ServedBy;
}

/** OpenAI's older shape: parallel lists. */
export interface CompletionLogprobs {
  tokens: string[];
  token_logprobs: number[];
  top_logprobs: Record<string, number>[];
  /** Start of each token's text, in characters of the choice's text. */
  text_offset: number[];
}

export interface ChatCompletionCreateParamsNonStreaming extends ChatCompletionCreateParamsBase {
  stream?: false | null;
}

export interface ChatCompletionCreateParamsStreaming extends ChatCompletionCreateParamsBase {
  stream: true;
  /**
   * Adds chunks without choices that say how much of the prompt has been read (llama.cpp's name). Only a model in this page sends
   * them.
   */
  return_progress?: boolean | null;
  stream_options?: ChatCompletionStreamOptions | null;
}

export type ChatCompletionCreateParams = ChatCompletionCreateParamsNonStreaming | ChatCompletionCreateParamsStreaming;

export interface RequestOptions {
  signal?: AbortSignal | null;
}

export type FinishReason = "stop" | "length" | "tool_calls";

export interface ChatCompletionMessage {
  role: "assistant";
  /** Null if there are calls and no text. */
  content: string | null;
  refusal: null;
  tool_calls?: ChatCompletionMessageToolCall[];
  /** The model's thoughts before its answer. */
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
  /** Absent if a server does not report them. */
  timings?: Timings;
  /** Set by servers, the browser's model and routers (`hearth-llm/remote`). */
  served_by?: ServedBy;
}

/** Piece of a call: the first has the id and name, all carry arguments as they arrive. */
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
  /** Set on the last chunk. */
  timings?: Timings;
  /** Set on chunks before the first token, if `return_progress` asks for them. */
  prompt_progress?: PromptProgress;
  /** Set by servers, the browser's model and routers (`hearth-llm/remote`). */
  served_by?: ServedBy;
}
