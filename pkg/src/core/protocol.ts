/**
 * The messages between the page and the worker. Each request carries an `id`; every reply names the request it answers.
 */
import type { PictureDetail } from "../api/openai.js";
import type { PictureSource } from "../pictures/source.js";
import type { SerializedError } from "./errors.js";
import type { HubId } from "../source/paste.js";
import type {
  AdapterInfo,
  AnswerFormat,
  DeviceInfo,
  DeviceOptions,
  Drafts,
  EmbedInput,
  EngineStats,
  GenerateRequest,
  KvType,
  InspectorOptions,
  ModelInfo,
  ModelReport,
  Overrides,
  Quantize,
  TokenDelta,
} from "./wasm-contract.js";

export type DeviceChoice = "webgpu" | "cpu" | "auto";

/** Source of the model's bytes, in a form that can be posted to a worker. */
export type SourceSpec =
  | { kind: "url"; url: string }
  /** A repository of Hugging Face, or of another hub with its API. */
  | { kind: "hub"; id: HubId; endpoint?: string }
  | { kind: "blob"; blob: Blob }
  | { kind: "files"; files: File[] }
  /** A ReadableStream, pumped through a port: not every browser can transfer a stream itself. */
  | { kind: "port"; port: MessagePort; total?: number };

/** Source of a projector: a file beside the model's, which lets it see. A stream could not be read twice. */
export type ProjectorSpec = Exclude<SourceSpec, { kind: "port" | "files" }>;

export interface DownloadOptions {
  /** Milliseconds without a byte after which a download counts as stalled. Default 30,000. */
  stallTimeoutMs?: number;
  /** Consecutive attempts that may yield no byte before the download fails. Default 5. */
  retries?: number;
  /** Number of pieces of a file fetched into the cache at the same time, if the server supports ranges. Default 4. */
  connections?: number;
  /** Headers sent with every request for the model's files, such as Authorization. */
  headers?: Record<string, string>;
  /**
   * SHA-256 of the model's file in hexadecimal digits, if it is one file. The sums of a Hugging Face repository are
   * known.
   */
  sha256?: string;
  /**
   * An address under which the model is kept and found again instead of its own, if that changes each time. Signatures
   * of the large hosts are ignored in addresses anyway, and repositories have names.
   */
  cacheKey?: string;
  /** Base address for looking up repository ids. Default `https://huggingface.co`. */
  hub?: string;
}

/** Keeping of conversations on this device. */
export interface ContextStoreOptions {
  /** Most bytes that all conversations take together; the oldest go first. Default 512 MiB. */
  maxBytes?: number;
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
  overrides?: Overrides;
  threads?: number;
  contextStore?: ContextStoreOptions;
  conversations?: number;
  wasmUrl?: string;
  grammarUrl?: string;
  picturesUrl?: string;
  /** The projector; false for none. Default: one that lies beside the model, if any. */
  mmproj?: ProjectorSpec | false;
}

/** Files of an adapter as PEFT writes it: settings and tensors. */
export const PEFT_CONFIG = "adapter_config.json";
export const PEFT_TENSORS = "adapter_model.safetensors";

/** Source of an adapter. A stream could not be read again after a lost device. */
export type AdapterSpec =
  | Exclude<SourceSpec, { kind: "port" | "files" }>
  /** PEFT's files. */
  | { kind: "peft"; config: Blob; tensors: Blob };

export interface AdapterRequest {
  name: string;
  source: AdapterSpec;
  scale?: number;
  download: DownloadOptions;
  cache: CacheMode;
}

/** A picture among a message's texts: at first as the caller gave it, then as it crosses to the worker. */
export interface PicturePart<Picture = PictureSource> {
  type: "image";
  image: Picture;
  detail: PictureDetail;
}

/** Languages of a text that is to be translated, for templates that read them beside it. */
export interface TextLanguages {
  source_lang_code: string;
  target_lang_code: string;
}

export type AskedPart<Picture = PictureSource> =
  ({ type: "text"; text: string } & Partial<TextLanguages>) | PicturePart<Picture>;

/** Content of a message: parts only where there are pictures, or texts with languages. */
export type AskedContent<Picture = PictureSource> = string | AskedPart<Picture>[] | null;

/** A message as the core has them, but with pictures that are no keys of it yet. */
export interface AskedMessage<Picture = PictureSource> {
  role: string;
  content: AskedContent<Picture>;
  [field: string]: unknown;
}

/** Request to the core, with the required format of the answer, and with pictures. */
export interface AnswerRequest<Picture = PictureSource> extends Omit<GenerateRequest, "messages"> {
  messages?: AskedMessage<Picture>[];
  format?: AnswerFormat;
  /** Key under which the conversation is kept, in engines that keep them. */
  contextKey?: string;
}

export interface LoadProgress {
  /**
   * `download` counts bytes received, `header` and `weights` bytes consumed by the model, `compile` pipelines built.
   * `download` and `weights` run at the same time, since weights go to the device as they arrive.
   */
  phase: "download" | "header" | "weights" | "compile" | "ready";
  loaded: number;
  /** 0 while unknown. */
  total: number;
  tensor?: string;
}

/**
 * Use of the browser's storage, as in `fetch`: `default` reads kept files and keeps fetched ones, `reload` fetches
 * again and keeps the result, `no-store` does neither.
 */
export type CacheMode = "default" | "reload" | "no-store";

/** Something the user should see although nothing failed, e.g. that the model runs on the CPU. */
export interface Notice {
  code: "cpu_fallback" | "one_thread" | "not_cached" | "model_changed" | "device_recovered" | "no_pictures";
  message: string;
  hint: string;
}

export interface LoadResult {
  version: string;
  device: DeviceInfo;
  model: ModelInfo;
  /** Notices for the user, in chronological order. */
  notices: Notice[];
}

export interface InspectRequest {
  source: SourceSpec;
  download: DownloadOptions;
  options: InspectorOptions;
  wasmUrl?: string;
  mmproj?: ProjectorSpec | false;
}

export interface FetchRequest {
  source: SourceSpec;
  download: DownloadOptions;
  wasmUrl?: string;
  mmproj?: ProjectorSpec | false;
}

/** A text, its tokens, or a picture that is no key of the core yet. */
export type EmbedAsked<P = PictureSource> = Pick<EmbedInput, "text" | "ids"> | PicturePart<P>;

export interface EmbedRequest<P = PictureSource> {
  inputs: EmbedAsked<P>[];
  truncate: boolean;
  dimensions?: number;
}

export interface EmbedResult {
  embeddings: Float32Array[];
  /** Sum over all texts. */
  tokens: number;
}

export interface RankRequest {
  query: string;
  documents: string[];
  truncate: boolean;
}

export interface RankResult {
  /** In the documents' order. */
  scores: number[];
  /** Sum over all documents. */
  tokens: number;
}

/** Requests, each with its parameters and result. */
export interface Calls {
  load: { params: LoadRequest; result: LoadResult };
  inspect: { params: InspectRequest; result: ModelReport };
  fetch: { params: FetchRequest; result: boolean };
  generate: { params: AnswerRequest; result: null };
  embed: { params: EmbedRequest; result: EmbedResult };
  rank: { params: RankRequest; result: RankResult };
  addAdapter: { params: AdapterRequest; result: AdapterInfo };
  removeAdapter: { params: { name: string }; result: boolean };
  listAdapters: { params: null; result: AdapterInfo[] };
  tokenize: { params: { text: string }; result: Uint32Array };
  detokenize: { params: { ids: Uint32Array }; result: string };
  stats: { params: null; result: EngineStats };
  loseDevice: { params: null; result: null };
}

export type CallName = keyof Calls;

/**
 * Work under a time limit: foreign code (the model's template, the answer's schema or grammar), and the start of
 * threads, which may hang in Firefox.
 */
export type Clocked = "template" | "format" | "threads";

export type ToWorker =
  | { [K in CallName]: { type: "call"; id: number; call: K; params: Calls[K]["params"] } }[CallName]
  | { type: "cancel"; id: number };

export type FromWorker =
  | { type: "result"; id: number; result: Calls[CallName]["result"] }
  | { type: "error"; id: number; error: SerializedError }
  | { type: "progress"; id: number; progress: LoadProgress }
  | { type: "delta"; id: number; delta: TokenDelta }
  /** Starts or, with null, stops the clock of work that may never end, which only the page can notice. */
  | { type: "clock"; id: number; on: Clocked | null }
  /** Fatal end of the worker: its GPU device is lost, or the core trapped and its memory cannot be trusted. */
  | { type: "fatal"; error: SerializedError };
