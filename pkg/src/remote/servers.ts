/** Facts about the servers of OpenAI's API: which fields each honours, and how to tell them apart. */
import type { Capabilities } from "../backend/backend.js";

export type ServerKind = "llama.cpp" | "vllm" | "ray" | "transformers" | "ollama" | "lmstudio" | "openai";

export interface ServerTraits {
  /** Request fields that the server honours. Any other is refused, because servers ignore unknown fields silently. */
  readonly fields: ReadonlySet<string>;
  /** Names of fields that the server calls otherwise. */
  readonly renamed: Readonly<Record<string, string>>;
  /** Answers that continue a message repeat what it holds. */
  readonly repeatsPrefix: boolean;
  readonly capabilities: Capabilities;
}

const SAMPLING = "temperature top_p frequency_penalty presence_penalty seed stop max_tokens max_completion_tokens";
const TOOLS = "tools tool_choice parallel_tool_calls";
const EXTRA_SAMPLING = "top_k min_p repetition_penalty";
const ALWAYS = "messages prompt input encoding_format query documents top_n return_documents stream stream_options";
const OPENAI = `${TOOLS} n logit_bias logprobs top_logprobs response_format dimensions echo best_of suffix`;
const STORING =
  "user metadata store service_tier safety_identifier prediction prompt_cache_key prompt_cache_retention reasoning_effort verbosity";
const TEMPLATE = "chat_template_kwargs enable_thinking continue_final_message";
const VLLM = `${SAMPLING} ${OPENAI} ${EXTRA_SAMPLING} ${TEMPLATE} user priority request_id cache_salt reasoning_effort return_token_ids structured_outputs thinking_token_budget continuous_usage_stats`;

const ALL: Capabilities = {
  completions: true,
  embeddings: true,
  reranking: true,
  formats: true,
  tools: true,
  logprobs: true,
  continuation: false,
  tokenIds: false,
};

function traits(
  fields: string,
  { renamed = {}, repeatsPrefix = false, ...able }: Partial<ServerTraits & Capabilities> = {},
): ServerTraits {
  const known = new Set(`${ALWAYS} ${fields}`.split(" "));
  const capabilities: Capabilities = {
    ...ALL,
    formats: known.has("response_format"),
    tools: known.has("tools"),
    logprobs: known.has("logprobs"),
    continuation: known.has("continue_final_message"),
    tokenIds: known.has("return_token_ids"),
    ...able,
  };
  return { fields: known, renamed, repeatsPrefix, capabilities };
}

export const SERVERS: Readonly<Record<ServerKind, ServerTraits>> = {
  "llama.cpp": traits(
    `${SAMPLING} ${OPENAI} ${EXTRA_SAMPLING} typical_p n_keep cache_prompt id_slot reasoning_format ${TEMPLATE} continuous_usage_stats`,
    { renamed: { repetition_penalty: "repeat_penalty" }, repeatsPrefix: true },
  ),
  vllm: traits(VLLM),
  ray: traits(VLLM),
  // It ignores formats silently, so they are refused.
  transformers: traits(`${SAMPLING} logit_bias tools`, { completions: false, embeddings: false, reranking: false }),
  ollama: traits(`${SAMPLING} response_format tools reasoning_effort dimensions suffix`, { reranking: false }),
  lmstudio: traits(`${SAMPLING} top_k repetition_penalty logit_bias response_format tools`, {
    renamed: { repetition_penalty: "repeat_penalty" },
    reranking: false,
  }),
  openai: traits(`${SAMPLING} ${OPENAI} ${STORING}`),
};

/** A model in a server's list, with the fields in which servers differ. */
export interface ListedModel {
  id: string;
  aliases?: unknown;
  owned_by?: unknown;
  max_model_len?: unknown;
  meta?: { n_ctx?: unknown } | null;
  metadata?: { max_request_context_length?: unknown } | null;
}

const OWNERS: Record<string, ServerKind> = {
  llamacpp: "llama.cpp",
  vllm: "vllm",
  library: "ollama",
  organization_owner: "lmstudio",
};

/** Returns the server that a list of models is from; `openai` if nothing tells. */
export function kindOf(models: readonly ListedModel[]): ServerKind {
  const [first] = models;
  if (first === undefined) return "openai";
  const owner = typeof first.owned_by === "string" ? OWNERS[first.owned_by] : undefined;
  if (owner !== undefined) return owner;
  if (first.metadata?.max_request_context_length !== undefined) return "ray";
  if (first.max_model_len !== undefined) return "vllm";
  return first.meta?.n_ctx === undefined ? "openai" : "llama.cpp";
}

/** Returns the tokens shared by prompt and answer, if the server says. */
export function contextOf({ meta, max_model_len, metadata }: ListedModel): number | undefined {
  const found = [meta?.n_ctx, max_model_len, metadata?.max_request_context_length];
  return found.find((n): n is number => typeof n === "number" && Number.isInteger(n) && n > 0);
}
