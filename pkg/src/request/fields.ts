/**
 * The fields of each request. Unlisted fields are rejected by name: silently ignoring one would give a different answer
 * from the one requested.
 */
import { SAMPLING_RANGES } from "../core/contract.generated.js";
import { invalid } from "../core/errors.js";

/** Fields without effect here: they identify the caller, control what a server stores, or are mere optimisations. */
const WITHOUT_EFFECT = "model signal user metadata store service_tier safety_identifier prediction priority request_id";
/** Parameters of samplers that are rejected when switched on. */
const UNUSED =
  "dynatemp_exponent dry_base dry_allowed_length dry_penalty_last_n dry_sequence_breakers mirostat_tau mirostat_eta xtc_threshold";
const CACHES = "prompt_cache_key prompt_cache_retention cache_prompt cache_salt id_slot";
const SAMPLING = `${Object.keys(SAMPLING_RANGES).join(" ")} max_tokens context_shift n_keep logit_bias stop n`;
const ANSWERS = "adapters return_token_ids response_format structured_outputs logprobs stream stream_options";
const CHAT =
  "messages max_completion_tokens reasoning_format return_progress tools tool_choice parallel_tool_calls top_logprobs continue_final_message resume_ids enable_thinking thinking_token_budget chat_template_kwargs";

const FIELDS = {
  chat: [WITHOUT_EFFECT, UNUSED, CACHES, SAMPLING, ANSWERS, CHAT],
  text: [WITHOUT_EFFECT, UNUSED, CACHES, SAMPLING, ANSWERS, "prompt echo"],
  embeddings: [WITHOUT_EFFECT, "input encoding_format dimensions truncate"],
  rerank: [WITHOUT_EFFECT, "query documents top_n return_documents truncate"],
  streamOptions: ["include_usage continuous_usage_stats include_obfuscation"],
  structured: ["json regex choice grammar"],
};

const BOOLEANS =
  "stream echo context_shift return_token_ids return_progress parallel_tool_calls continue_final_message enable_thinking truncate return_documents include_usage continuous_usage_stats";

/**
 * Fields of OpenAI, vLLM and llama.cpp that are not supported, with the only accepted value, which is what happens
 * anyway: callers may spell out a default.
 */
const DEFAULTS: Record<string, unknown> = {
  function_call: "none",
  functions: [],
  modalities: ["text"],
  reasoning_effort: "medium",
  verbosity: "medium",
  suffix: "",
  best_of: 1,
  add_generation_prompt: true,
  add_special_tokens: false,
  allowed_token_ids: [],
  bad_words: [],
  documents: [],
  dry_multiplier: 0,
  dynatemp_range: 0,
  echo: false,
  ignore_eos: false,
  include_reasoning: true,
  include_stop_str_in_output: false,
  length_penalty: 1,
  lora: [],
  min_keep: 0,
  min_tokens: 0,
  mirostat: 0,
  n_cmpl: 1,
  n_discard: 0,
  n_indent: 0,
  n_predict: -1,
  n_probs: 0,
  normalize: true,
  parse_tool_calls: true,
  post_sampling_probs: false,
  reasoning_in_content: false,
  repeat_last_n: -1,
  repeat_penalty: 1,
  response_fields: [],
  return_progress: false,
  return_tokens: false,
  return_tokens_as_token_ids: false,
  skip_special_tokens: true,
  spaces_between_special_tokens: true,
  stop_token_ids: [],
  tfs_z: 1,
  thinking_forced_open: false,
  timings_per_token: false,
  top_n_sigma: -1,
  use_beam_search: false,
  xtc_probability: 0,
};

/** Replacements for rejected fields. */
const INSTEAD: Record<string, string> = {
  lora: "adapters",
  functions: "tools",
  function_call: "tool_choice",
  reasoning_effort: "enable_thinking, or chat_template_kwargs, if the model's template reads it",
  repeat_penalty: "repetition_penalty",
  n_predict: "max_tokens",
  n_cmpl: "n",
  n_probs: "top_logprobs",
  return_tokens: "return_token_ids",
  include_reasoning: "reasoning_format",
  reasoning_in_content: 'reasoning_format: "none"',
  json_schema: "response_format",
  guided_json: "structured_outputs.json",
  guided_regex: "structured_outputs.regex",
  guided_choice: "structured_outputs.choice",
  guided_grammar: "structured_outputs.grammar",
  grammar: "structured_outputs.grammar",
};

/** Rejects unsupported fields; `within` is the path of the enclosing field. */
export function checkFields(kind: keyof typeof FIELDS, params: object, within = ""): void {
  const known = FIELDS[kind].join(" ").split(" ");
  for (const [field, value] of Object.entries(params) as [string, unknown][]) {
    if (value === undefined || value === null) continue;
    const name = within + field;
    if (BOOLEANS.split(" ").includes(field) && typeof value !== "boolean") throw invalid(name, "true or false", value);
    if (known.includes(field)) continue;
    const usual = DEFAULTS[field];
    if (JSON.stringify(value) === JSON.stringify(usual)) continue;
    const or = usual === undefined ? "" : ` or ${JSON.stringify(usual)}`;
    const instead = INSTEAD[field] === undefined ? "" : ` (use ${INSTEAD[field]})`;
    throw invalid(name, `absent${or}, because it is not supported${instead}`, value);
  }
}
