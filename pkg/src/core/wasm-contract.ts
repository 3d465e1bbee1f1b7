/**
 * The Rust core's wasm-bindgen exports (`crate/src/web/mod.rs`) as TypeScript types.
 *
 * wasm-bindgen types structured values as `any`; only this file describes their contents.
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
  /** `"adapter"` requests everything the adapter supports, `"default"` WebGPU's guaranteed limits. */
  limits?: "adapter" | "default";
  /** `"none"` disables optional features even where they are supported. */
  features?: "all" | "none";
  /** Arithmetic in which decode multiplies block formats, overriding the one measured to be fastest. */
  arithmetic?: "f32" | "f16" | "i15";
  /** Earlier measurements of this adapter, which are then not repeated. Default: those that the package has stored. */
  tuning?: DeviceTuning;
}

/** The core's choices for a device, opaque to all other code. */
export type DeviceTuning = Record<string, unknown>;

/** Storage type of the KV cache. */
export type KvType = "f16" | "f32" | "q8";

/**
 * Syntax in which a model writes tool calls; see `tools/calls.ts` and `tools/harmony.ts`. `xml`:
 * `<function=NAME><parameter=KEY>…`.
 */
export type ToolStyle = "hermes" | "xml" | "llama" | "mistral" | "harmony";

/** Marks around a model's thoughts, as its template writes them. */
export interface ThoughtMarks {
  open: string;
  close: string;
}

/** Output style of a model according to its chat template. */
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
  /** Experts of a layer (0 for a dense model) and experts used per token. */
  n_experts: number;
  n_experts_used: number;
  /** Pooling of a text's hidden states into an embedding; null if the model does not produce embeddings. */
  pooling: "mean" | "cls" | "last" | null;
  vocab_size: number;
  n_ctx: number;
  n_ctx_train: number;
  parameters: number;
  weight_bytes: number;
  kv_bytes: number;
  kv_type: KvType;
  /** Null if the chat template does not support tools. */
  tool_style: ToolStyle | null;
  /** Null if the chat template does not mention thoughts. */
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
  /** Other fields that templates read: `tool_calls`, `tool_call_id`, `name`. */
  [field: string]: unknown;
}

/** Format of an answer: one of these, as parsed by hearth-grammar's `Format`. */
export type AnswerFormat =
  | { json_schema: unknown }
  /** llguidance's dialect of Lark. */
  | { grammar: string }
  | { regex: string }
  | { choice: string[] };

export interface GenerateRequest {
  messages?: WasmMessage[];
  /** The last message is an unfinished answer to continue. */
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
  /** First tokens of the answer, generated on another device; generation resumes after them. */
  given?: number[];
  /** OpenAI's list of tools, for the template. */
  tools?: unknown[];
  /** Additional variables of the template. */
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
  /**
   * Drafted tokens (guessed from the context instead of computed one by one) that proved right, and those that proved
   * wrong.
   */
  completion_tokens_details: { accepted_prediction_tokens: number; rejected_prediction_tokens: number };
}

/** Outcome of one bounded piece of work: a chunk of the prompt, or a few new tokens. */
export interface Step {
  text: string;
  ids: number[];
  /** One entry per id, if requested. */
  logprobs: (Logprob & { top: Logprob[] })[];
  /** The template has opened the model's thoughts, so the answer begins inside them. */
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
  /** Bytes that the runtime has allocated on the GPU; 0 on the CPU. */
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
  /**
   * Computes y = x W^T; `format` is the number of a `Format` in cpu/src/rows.rs.
   * `x`: [tokens, cols], `y`: [tokens, rows].
   */
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
  /** Consumes the file's next bytes; the chunk may be reused once the promise resolves. */
  push(chunk: Uint8Array): Promise<void>;
  /** Returns null, or throws, once finish() has consumed the loader. */
  progress(): LoaderProgress | null;
  finish(): Promise<WasmEngine>;
  free(): void;
}

export interface WasmEngine {
  info(): ModelInfo;
  /** Starts an answer and calls `rendered` once the chat template has been rendered. */
  generate(request: GenerateRequest, constraint?: WasmGrammar, rendered?: () => void): WasmGeneration;
  vocabulary(): WasmTokens;
  embed(text: string, truncate: boolean): Promise<WasmEmbedding>;
  tokenize(text: string): Uint32Array;
  detokenize(ids: Uint32Array): string;
  stats(): EngineStats;
  free(): void;
}

export interface WasmEmbedding {
  /** Vector of length 1. */
  readonly values: Float32Array;
  readonly tokens: number;
  free(): void;
}

/** A model's tokens. */
export interface WasmTokens {
  readonly bytes: Uint8Array;
  readonly lengths: Uint32Array;
  /** Ids of the tokens that end an answer. */
  readonly eog: Uint32Array;
  free(): void;
}

/** Constraint of one answer, from the format module (`grammar/src/web.rs`) and called by the core. */
export interface WasmGrammar {
  /** Sets the bits of the tokens allowed next; returns false at the end. */
  allow(bits: Uint32Array): boolean;
  /** Returns the bytes that must come next. */
  forced(): Uint8Array;
  accept(ids: Uint32Array): void;
  free(): void;
}

export interface WasmVocabulary {
  /** Compiles a format. `format`: an `AnswerFormat` as JSON. */
  grammar(format: string): WasmGrammar;
  free(): void;
}

/** The module that implements formats. */
export interface GrammarWasm {
  default(arg: { module_or_path: URL | string | Response | WebAssembly.Module }): Promise<unknown>;
  Vocabulary: new (bytes: Uint8Array, lengths: Uint32Array, eog: Uint32Array) => WasmVocabulary;
  /** Creates a new instance of the module after a trap (wasm-bindgen's option in `wasm-pack.toml`). */
  __wbg_reset_state(): void;
}

export interface WasmGeneration {
  next(): Promise<Step>;
  cancel(): void;
  free(): void;
}

/** Drafting of tokens from the context, checked several at once: while it pays off, always (for tests), or never. */
export type Drafts = "auto" | "always" | "off";

export interface LoaderOptions {
  contextSize?: number;
  kvType?: KvType;
  drafts?: Drafts;
  totalBytes?: number;
  quantize?: Quantize;
}

/** Format to which float weights are quantised at load: Q8_0 or Q4_1. */
export type Quantize = "q8" | "q4";

/** Headers of a model in several files. Freed by the loader that takes it over. */
export interface WasmFiles {
  /** Adds one of the texts next to the safetensors files, by name. */
  text(name: string, text: string): void;
  /** Consumes the next bytes from the beginning of a file of `length` bytes; returns true when it has enough. */
  header(index: number, chunk: Uint8Array, length: number): boolean;
  /** Returns the model's requirements. */
  report(options: InspectorOptions): ModelReport;
  free(): void;
}

/** A model's requirements, from its header alone. */
export interface ModelReport {
  format: "gguf" | "safetensors";
  architecture: string;
  name: string;
  license: string | null;
  parameters: number;
  /** Totals per storage type. */
  quants: Record<string, { tensors: number; parameters: number; bytes: number }>;
  tensor_bytes: number;
  n_ctx_train: number | null;
  /** Cost of running the model; absent if it cannot be run. */
  budget?: {
    config: Omit<
      ModelInfo,
      "n_ctx" | "parameters" | "weight_bytes" | "kv_bytes" | "kv_type" | "tool_style" | "thought_marks" | "quants"
    >;
    /** Positions assumed for memory and work. */
    n_ctx: number;
    /** Bytes on the device. */
    memory: { weights: number; kv: number; scratch: number; total: number };
    /** Work per token with a full context. */
    token: { flops: number; bytes: number };
    device: { fits: boolean; reason: string | null; tokens_per_second: number | null } | null;
  };
  /** Reason why the model cannot be run. */
  unsupported?: { code: CoreErrorCode; message: string; hint: string };
}

export interface InspectorOptions {
  contextSize?: number;
  kvType?: KvType;
  /**
   * Memory bandwidth of the device in bytes per second; with it, the report has an upper bound on tokens per second.
   */
  bandwidth?: number;
}

export interface WasmInspector {
  /** Consumes the file's next bytes; returns the report as soon as they suffice. */
  push(chunk: Uint8Array): ModelReport | null;
  /** Returns the report if the file ended before that. */
  finish(): ModelReport;
  free(): void;
}

/** Incremental SHA-256. */
export interface WasmSha256 {
  update(chunk: Uint8Array): void;
  /** Returns the sum in hexadecimal digits. */
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
