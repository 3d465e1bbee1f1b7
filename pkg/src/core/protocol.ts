/**
 * The messages between the page and the worker. Each request carries an `id`; every reply names the request it answers.
 */
import type { SerializedError } from "./errors.js";
import type { HubId } from "../source/paste.js";
import type {
  AnswerFormat,
  DeviceInfo,
  DeviceOptions,
  Drafts,
  EngineStats,
  GenerateRequest,
  KvType,
  InspectorOptions,
  ModelInfo,
  ModelReport,
  Quantize,
  Step,
} from "./wasm-contract.js";

export type DeviceChoice = "webgpu" | "cpu" | "auto";

/** Where the model's bytes come from, in a form that can be posted to a worker. */
export type SourceSpec =
  | { kind: "url"; url: string }
  /** A repository of Hugging Face, or of another hub with its API. */
  | { kind: "hub"; id: HubId; endpoint?: string }
  | { kind: "blob"; blob: Blob }
  | { kind: "files"; files: File[] }
  /** A ReadableStream, pumped through a port: not every browser can transfer a stream itself. */
  | { kind: "port"; port: MessagePort; total?: number };

export interface DownloadOptions {
  /** Milliseconds without a byte after which a download counts as stalled. Default 30,000. */
  stallTimeoutMs?: number;
  /** Attempts in a row that may bring no byte before the download fails. Default 5. */
  retries?: number;
  /** Pieces of a file that are fetched at the same time into the cache, where the server sends pieces. Default 4. */
  connections?: number;
  /** Sent with every request for the model's files, such as Authorization. */
  headers?: Record<string, string>;
  /** SHA-256 of the model's file in hexadecimal digits, if it is one file. Of a repository of Hugging Face the sums are known. */
  sha256?: string;
  /**
   * An address under which the model is kept and found again in place of its own, which may be another each time. Signatures of the
   * large hosts are left out of addresses anyway, and repositories have names.
   */
  cacheKey?: string;
  /** Where ids of repositories are looked up. Default `https://huggingface.co`. */
  hub?: string;
}

export interface LoadRequest {
  source: SourceSpec;
  device: DeviceChoice;
  deviceOptions: DeviceOptions;
  download: DownloadOptions;
  cache: CacheMode;
  contextSize?: number;
  kvType?: KvType;
  drafts?: Drafts;
  quantize?: Quantize;
  threads?: number;
  wasmUrl?: string;
  grammarUrl?: string;
}

/** What is asked of the core, and in what format the answer has to come. */
export interface AnswerRequest extends GenerateRequest {
  format?: AnswerFormat;
}

export interface LoadProgress {
  /**
   * `download` counts bytes received, `header` and `weights` bytes taken over by the model, `compile` pipelines built.
   * `download` and `weights` run at the same time, since weights go to the device as they arrive.
   */
  phase: "download" | "header" | "weights" | "compile" | "ready";
  loaded: number;
  /** 0 while it is not known. */
  total: number;
  tensor?: string;
}

/**
 * What is done about the browser's storage, as in `fetch`: `default` takes what is kept and keeps what is fetched, `reload`
 * fetches anew and keeps it, `no-store` does neither.
 */
export type CacheMode = "default" | "reload" | "no-store";

/** Something the user should see although nothing failed, e.g. that the CPU runs the model. */
export interface Notice {
  code: "cpu_fallback" | "one_thread" | "not_cached" | "model_changed" | "device_recovered";
  message: string;
  hint: string;
}

export interface LoadResult {
  version: string;
  device: DeviceInfo;
  model: ModelInfo;
  /** What the user should see, in the order in which it happened. */
  notices: Notice[];
}

export interface InspectRequest {
  source: SourceSpec;
  download: DownloadOptions;
  options: InspectorOptions;
  wasmUrl?: string;
}

export interface EmbedRequest {
  texts: string[];
  truncate: boolean;
}

export interface EmbedResult {
  embeddings: Float32Array[];
  /** Of all texts together. */
  tokens: number;
}

/** Requests, each with its parameters and its result. */
export interface Calls {
  load: { params: LoadRequest; result: LoadResult };
  inspect: { params: InspectRequest; result: ModelReport };
  generate: { params: AnswerRequest; result: null };
  embed: { params: EmbedRequest; result: EmbedResult };
  tokenize: { params: { text: string }; result: Uint32Array };
  detokenize: { params: { ids: Uint32Array }; result: string };
  stats: { params: null; result: EngineStats };
  loseDevice: { params: null; result: null };
}

export type CallName = keyof Calls;

/** Foreign code (the model's template, the answer's schema or grammar), and the start of threads, which may hang in Firefox. */
export type Clocked = "template" | "format" | "threads";

export type ToWorker =
  | { [K in CallName]: { type: "call"; id: number; call: K; params: Calls[K]["params"] } }[CallName]
  | { type: "cancel"; id: number };

export type FromWorker =
  | { type: "result"; id: number; result: Calls[CallName]["result"] }
  | { type: "error"; id: number; error: SerializedError }
  | { type: "progress"; id: number; progress: LoadProgress }
  | { type: "step"; id: number; step: Step }
  /** Work begins that may not end, which only the page can see; null where it has ended. */
  | { type: "clock"; id: number; on: Clocked | null }
  /** The worker cannot go on: its GPU device is lost, or the core trapped and its memory cannot be trusted. */
  | { type: "fatal"; error: SerializedError };
