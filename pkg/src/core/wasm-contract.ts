/**
 * What the Rust core exports through wasm-bindgen (`crate/src/web/mod.rs`), as TypeScript sees it.
 *
 * wasm-bindgen types structured values as `any`; this file is the only place that says what is in them.
 * Every failure is a thrown Error named "HearthError" with `code`, `message` and `hint`.
 */
import type { CoreErrorCode } from "./errors.js";

export interface DeviceInfo {
  kind: "webgpu" | "cpu";
  name: string;
  vendor: string;
  architecture: string;
  backend: string;
  /** True when a "GPU" is emulated on the CPU (SwiftShader, lavapipe). */
  software: boolean;
  /** Threads that multiply on the CPU; 1 for a GPU. */
  threads: number;
  features: string[];
  limits: {
    maxBufferSize: number;
    maxStorageBufferBindingSize: number;
    maxStorageBuffersPerShaderStage: number;
  };
}

export interface DeviceOptions {
  /** `"adapter"` asks for all the adapter has, `"default"` for WebGPU's guaranteed limits. */
  limits?: "adapter" | "default";
  /** `"none"` runs without optional features even where they exist. */
  features?: "all" | "none";
  /** What decode multiplies block formats as, instead of what was measured to be the fastest. */
  arithmetic?: "f32" | "f16" | "i15";
  /** What was measured of this adapter before; it is then not measured again. Default: what the package has kept. */
  tuning?: DeviceTuning;
}

/** The core's choices for a device, opaque to everybody else. */
export type DeviceTuning = Record<string, unknown>;

/** What the KV cache is kept in. */
export type KvType = "f16" | "f32" | "q8";

/** How models write calls of tools; see `tools/calls.ts` and `tools/harmony.ts`. `xml`: `<function=NAME><parameter=KEY>…`. */
export type ToolStyle = "hermes" | "xml" | "llama" | "mistral" | "harmony";

/** What stands round a model's thoughts, as its template spells it. */
export interface ThoughtMarks {
  open: string;
  close: string;
}

/** What a chat template says of how its model writes. */
export type TemplateStyle = Pick<ModelInfo, "tool_style" | "thought_marks">;

export interface ModelInfo {
  architecture: string;
  name: string;
  n_layers: number;
  d_model: number;
  n_heads: number;
  n_kv_heads: number;
  head_dim: number;
  /** Width of the feed-forward block, or of an expert. */
  d_ff: number;
  /** Experts of a layer, 0 without; and those that a token goes to. */
  n_experts: number;
  n_experts_used: number;
  /** How a text becomes an embedding; null where the model is not made for that. */
  pooling: "mean" | "cls" | "last" | null;
  vocab_size: number;
  n_ctx: number;
  n_ctx_train: number;
  parameters: number;
  weight_bytes: number;
  kv_bytes: number;
  kv_type: KvType;
  /** Null where the chat template knows no tools. */
  tool_style: ToolStyle | null;
  /** Null where the chat template does not speak of thoughts. */
  thought_marks: ThoughtMarks | null;
  /** Number of tensors by quantisation, e.g. `{ Q4_1: 210, F32: 61 }`. */
  quants: Record<string, number>;
}

export interface LoaderProgress {
  phase: "header" | "weights" | "compile";
  loaded: number;
  total: number;
  tensor: string | null;
}

export interface WasmMessage {
  role: string;
  content: string | null;
  /** What else templates know: `tool_calls`, `tool_call_id`, `name`. */
  [field: string]: unknown;
}

/** What an answer has to look like: one of these, as hearth-grammar's `Format` reads it. */
export type AnswerFormat =
  | { json_schema: unknown }
  /** llguidance's dialect of Lark. */
  | { grammar: string }
  | { regex: string }
  | { choice: string[] };

export interface GenerateRequest {
  messages?: WasmMessage[];
  /** The last message is an answer to go on with. */
  continue_final_message?: boolean;
  prompt?: string;
  max_tokens?: number;
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  typical_p?: number;
  repetition_penalty?: number;
  frequency_penalty?: number;
  presence_penalty?: number;
  logit_bias?: Record<string, number>;
  seed?: number;
  stop?: string[];
  logprobs?: boolean;
  top_logprobs?: number;
  /** False leaves special tokens in the text. */
  skip_special_tokens?: boolean;
  /** The answer's first tokens, where another device has given them: it goes on behind them. */
  given?: number[];
  /** OpenAI's list, for the template. */
  tools?: unknown[];
  /** Further variables of the template. */
  chat_template_kwargs?: Record<string, unknown>;
}

/** A token and the natural logarithm of its probability. */
export interface Logprob {
  id: number;
  token: string;
  bytes: number[];
  logprob: number;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
  /** Tokens that were drafted from the context instead of computed one by one, and how many were right. */
  completion_tokens_details: { accepted_prediction_tokens: number; rejected_prediction_tokens: number };
}

/** The outcome of one bounded piece of work: a chunk of the prompt, or a few new tokens. */
export interface Step {
  text: string;
  ids: number[];
  /** Of each id, where the request asked for them. */
  logprobs: (Logprob & { top: Logprob[] })[];
  /** The template has begun the model's thoughts, so that the answer begins within them. */
  in_thoughts: boolean;
  phase: "prefill" | "decode";
  finish_reason: null | "stop" | "length";
  usage: Usage;
}

/** Counters of the running engine; the core may add more. */
export interface EngineStats {
  dispatches: number;
  readbacks: number;
  bytes_read: number;
  /** Bytes that the runtime holds on the GPU; 0 on the CPU. */
  gpu_bytes: number;
  heap_bytes: number;
  [counter: string]: number;
}

/** Threads that multiply for the CPU path; `at`, `quants` and `scales` are addresses in their memory. */
export interface WasmCpuPool {
  threads(): number;
  alloc(bytes: number): number;
  write(at: number, words: Uint32Array): void;
  read(at: number, words: Uint32Array): void;
  /** y = x W^T; `format` is a number of `Format` in cpu/src/rows.rs. `x`: [tokens, cols], `y`: [tokens, rows]. */
  product(
    format: number,
    quants: number,
    scales: number,
    rows: number,
    cols: number,
    x: Float32Array,
    y: Float32Array,
  ): void;
}

export interface WasmDevice {
  info(): DeviceInfo;
  tuning(): DeviceTuning;
  free(): void;
}

export interface WasmLoader {
  /** Takes the file's next bytes; the chunk may be reused when the promise resolves. */
  push(chunk: Uint8Array): Promise<void>;
  /** Null, or a thrown error, once finish() has taken the loader over. */
  progress(): LoaderProgress | null;
  finish(): Promise<WasmEngine>;
  free(): void;
}

export interface WasmEngine {
  info(): ModelInfo;
  /** Calls `rendered` once the chat template has done its work. */
  generate(request: GenerateRequest, constraint?: WasmGrammar, rendered?: () => void): WasmGeneration;
  vocabulary(): WasmTokens;
  embed(text: string, truncate: boolean): Promise<WasmEmbedding>;
  tokenize(text: string): Uint32Array;
  detokenize(ids: Uint32Array): string;
  stats(): EngineStats;
  free(): void;
}

export interface WasmEmbedding {
  /** Of length 1. */
  readonly values: Float32Array;
  readonly tokens: number;
  free(): void;
}

/** A model's tokens. */
export interface WasmTokens {
  readonly bytes: Uint8Array;
  readonly lengths: Uint32Array;
  /** Those that end an answer. */
  readonly eog: Uint32Array;
  free(): void;
}

/** Follows one answer: of the module that knows formats (`grammar/src/web.rs`), called by the core. */
export interface WasmGrammar {
  /** Writes which tokens may come next, a bit each; false at the end. */
  allow(bits: Uint32Array): boolean;
  /** The bytes that must come next. */
  forced(): Uint8Array;
  accept(ids: Uint32Array): void;
  free(): void;
}

export interface WasmVocabulary {
  /** `format`: an `AnswerFormat` as JSON. */
  grammar(format: string): WasmGrammar;
  free(): void;
}

/** The module that knows formats. */
export interface GrammarWasm {
  default(arg: { module_or_path: URL | string | Response | WebAssembly.Module }): Promise<unknown>;
  Vocabulary: new (bytes: Uint8Array, lengths: Uint32Array, eog: Uint32Array) => WasmVocabulary;
  /** Makes another instance of the module, after a trap (wasm-bindgen's option in `wasm-pack.toml`). */
  __wbg_reset_state(): void;
}

export interface WasmGeneration {
  next(): Promise<Step>;
  cancel(): void;
  free(): void;
}

/** Whether tokens are drafted from the context and checked several at once: while that pays, always (for tests), or never. */
export type Drafts = "auto" | "always" | "off";

export interface LoaderOptions {
  contextSize?: number;
  kvType?: KvType;
  drafts?: Drafts;
  totalBytes?: number;
  quantize?: Quantize;
}

/** What weights in floats are made of at load: Q8_0 or Q4_1. */
export type Quantize = "q8" | "q4";

/** The headers of a model in several files. Whoever takes it over ends it. */
export interface WasmFiles {
  /** One of the texts beside safetensors, by its name. */
  text(name: string, text: string): void;
  /** The next bytes from the beginning of a file of `length` bytes; true when they are enough. */
  header(index: number, chunk: Uint8Array, length: number): boolean;
  /** What the model asks for. */
  report(options: InspectorOptions): ModelReport;
  free(): void;
}

/** What a model asks for, from its header alone. */
export interface ModelReport {
  format: "gguf" | "safetensors";
  architecture: string;
  name: string;
  license: string | null;
  parameters: number;
  /** By storage type. */
  quants: Record<string, { tensors: number; parameters: number; bytes: number }>;
  tensor_bytes: number;
  n_ctx_train: number | null;
  /** What running it takes; absent where it cannot be run. */
  budget?: {
    config: Omit<
      ModelInfo,
      "n_ctx" | "parameters" | "weight_bytes" | "kv_bytes" | "kv_type" | "tool_style" | "thought_marks" | "quants"
    >;
    /** Positions that memory and work are for. */
    n_ctx: number;
    /** Bytes on the device. */
    memory: { weights: number; kv: number; scratch: number; total: number };
    /** The work of one token with the context full. */
    token: { flops: number; bytes: number };
    device: { fits: boolean; reason: string | null; tokens_per_second: number | null } | null;
  };
  /** Why it cannot be run. */
  unsupported?: { code: CoreErrorCode; message: string; hint: string };
}

export interface InspectorOptions {
  contextSize?: number;
  kvType?: KvType;
  /** Bytes that the device reads a second: then the report bounds tokens a second. */
  bandwidth?: number;
}

export interface WasmInspector {
  /** Takes the file's next bytes; gives the report as soon as they are enough. */
  push(chunk: Uint8Array): ModelReport | null;
  /** The report on a file that has ended before that. */
  finish(): ModelReport;
  free(): void;
}

/** A SHA-256 of bytes as they come. */
export interface WasmSha256 {
  update(chunk: Uint8Array): void;
  /** In hexadecimal digits. */
  finish(): string;
  free(): void;
}

export interface HearthWasm {
  default(arg: { module_or_path: URL | string | Response | WebAssembly.Module }): Promise<unknown>;
  version(): string;
  Device: { open(kind: "webgpu" | "cpu", options: DeviceOptions, pool?: WasmCpuPool): Promise<WasmDevice> };
  Loader: new (device: WasmDevice, options: LoaderOptions, files?: WasmFiles) => WasmLoader;
  Files: new () => WasmFiles;
  Sha256: new () => WasmSha256;
  Inspector: new (options: InspectorOptions, totalBytes?: number) => WasmInspector;
}
