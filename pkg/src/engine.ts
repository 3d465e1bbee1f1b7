/** The engine: one model in one worker. */
import { LocalBackend } from "./backend/local.js";
import { RecoveringWorker } from "./backend/recover.js";
import { WorkerRpc } from "./backend/rpc.js";
import { startFrom } from "./backend/worker-script.js";
import { cancelled, HearthError, invalid, throwIfAborted, toHearthError } from "./core/errors.js";
import { given } from "./core/given.js";
import { oneThread } from "./core/notices.js";
import { platform } from "./core/platform.js";
import type {
  CacheMode,
  ContextStoreOptions,
  DeviceChoice,
  DownloadOptions,
  FetchRequest,
  InspectRequest,
  LoadProgress,
  LoadRequest,
  LoadResult,
  Notice,
  ProjectorSpec,
  SourceSpec,
} from "./core/protocol.js";
import type {
  DeviceOptions,
  Drafts,
  InspectorOptions,
  KvType,
  ModelReport,
  Overrides,
  Quantize,
} from "./core/wasm-contract.js";
import { LocalEngine } from "./local-engine.js";
import { toAdapterRequest, type AdapterOptions } from "./backend/adapters.js";
import { absolute, sourceName, toDownload, toSource, type ModelSource } from "./source/given.js";

export type { AdapterOptions, AdapterSource } from "./backend/adapters.js";
export type { ModelSource };

/** A projector (mmproj): a file, or the repository of one, that lets a model see pictures. */
export type ProjectorSource = Exclude<ModelSource, File[] | ReadableStream<Uint8Array>>;

export interface EngineOptions {
  /**
   * The model to load, in one of these forms.
   *
   * A Hugging Face repository: `owner/name`, optionally with `:Q4_K_M` for a quantisation and `@revision`; or any
   * address that a browser shows for it or one of its files, such as `https://huggingface.co/Qwen/Qwen3-0.6B`.
   *
   * A GGUF file: an address, a File, Blob or file handle, or its bytes as a stream. For a split one
   * (`-00001-of-0000N.gguf`), the address of the first part. Outside browsers also a path.
   *
   * Safetensors: the address of their folder (ending in `/`), of `model.safetensors` or of its index.
   *
   * All files of a model, as an array, its projector included.
   */
  model: ModelSource;
  /**
   * The model's projector (`mmproj-….gguf`), by which it sees pictures: a file, its address, a repository, or the name of a file in the
   * model's repository. Default: the one that lies beside the model in its repository (F16 first), or among the files of an
   * array; false for none. One that was found by itself and cannot be used is left out, with a notice.
   */
  mmproj?: ProjectorSource | false;
  /**
   * Default `"webgpu"`: the CPU, which is much slower, is never used implicitly. `"auto"` uses it if there is no
   * WebGPU, and reports that through `onNotice` and `engine.notice`. It is the default outside browsers.
   */
  device?: DeviceChoice;
  deviceOptions?: DeviceOptions;
  /**
   * Tokens shared by prompt and answer. Default: as many as the model was trained for, from 2048 to 16384, if its KV
   * cache then takes at most half as much as the weights, and half of what these leave of the machine's memory.
   */
  contextSize?: number;
  /**
   * Storage type of the KV cache. Default: f16 on a GPU, f32 on the CPU; q8 is half the size of f16, with a small loss.
   */
  kvType?: KvType;
  /**
   * Whether tokens are drafted from the context and checked several at once; `"auto"` while that pays off. The answers
   * do not change.
   */
  drafts?: Drafts;
  /** Quantises float weights during the load, to Q8_0 or Q4_1. Default: floats are kept. */
  quantize?: Quantize;
  /**
   * Values that take the place of what the model's files say: the chat template, the rotary embedding, any metadata. They
   * are checked as if the files had them.
   */
  overrides?: Overrides;
  /** Adapters (LoRA) that are added once the model is loaded; `engine.adapters` adds others later. */
  adapters?: readonly AdapterOptions[];
  /**
   * Threads of the CPU path. Default: the machine's, up to 8, if the page is cross-origin isolated (the headers
   * Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy), otherwise 1. The GPU needs neither.
   */
  threads?: number;
  /**
   * Keeps conversations on this device, so that a reopened one is not read again: with a `prompt_cache_key`, a request's
   * conversation is saved after its answer, and put back before the next one with this key, also by another engine of the
   * same model. `hearth-llm/cache` deletes them. Default: they are not kept.
   */
  contextStore?: ContextStoreOptions;
  /**
   * Most conversations whose caches stay in memory at once, up to 16: requests that take turns between so many of them are
   * not read again each time. Each takes a KV cache of its own. Default 1.
   */
  conversations?: number;
  /** Length of a stream, which has no length of its own; only used for progress and checks. */
  totalBytes?: number;
  download?: DownloadOptions;
  /** Whether files from the network are kept on this device. Default: they are. See `hearth-llm/cache`. */
  cache?: CacheMode;
  /**
   * Whether the model is reloaded when the GPU device is lost, and running answers resume where they were. Default
   * true; not possible for a stream.
   */
  recover?: boolean;
  onProgress?: (progress: LoadProgress) => void;
  onNotice?: (notice: Notice) => void;
  /** Aborts the load with `cancelled`. */
  signal?: AbortSignal;
  /** Address of `hearth_bg.wasm`, if it was moved out of the package. */
  wasmUrl?: string | URL;
  /** Address of `grammar_bg.wasm`, if it was moved out of the package. */
  grammarUrl?: string | URL;
  /** Address of `pictures_bg.wasm`, if it was moved out of the package. */
  picturesUrl?: string | URL;
  /** Address of `worker.js`, if it was moved out of the package. */
  workerUrl?: string | URL;
}

/** Number of workers to try if threads do not start, before running without threads. */
const MOST_ATTEMPTS = 3;

export class Engine extends LocalEngine {
  /** Starts a worker and loads the model into it. On failure or abort nothing is left running. */
  static async create(options: EngineOptions): Promise<Engine> {
    const { worker, loaded } = await openWorker(options);
    return new Engine(new LocalBackend(worker, loaded, sourceName(options.model)), loaded.notices);
  }
}

/** A model in a worker that is replaced when its device is lost, and what is known about it. */
export interface OpenedWorker {
  worker: RecoveringWorker;
  loaded: LoadResult;
}

/**
 * Loads a model into a worker: an engine without the API.
 *
 * @internal
 */
export async function openWorker(options: EngineOptions): Promise<OpenedWorker> {
  const { model, onNotice, recover = true, signal, adapters = [] } = options;
  const { client, loaded } = await openClient(options);
  for (const notice of loaded.notices) onNotice?.(notice);
  const again: EngineOptions = { ...options };
  // Recovery must not download the files a second time.
  if (again.cache === "reload") again.cache = "default";
  const reopen = async (signal: AbortSignal): Promise<WorkerRpc> => (await openClient({ ...again, signal })).client;
  const isAgain = recover && !(model instanceof ReadableStream);
  const worker = new RecoveringWorker(client, isAgain ? reopen : undefined, (notice) => onNotice?.(notice));
  try {
    for (const adapter of adapters) {
      const request = await toAdapterRequest(adapter);
      await worker.call("addAdapter", request, () => ({ signal }));
    }
  } catch (error) {
    worker.close(toHearthError(error));
    throw error;
  }
  return { worker, loaded };
}

interface Opened {
  client: WorkerRpc;
  loaded: LoadResult;
}

async function openClient(options: EngineOptions): Promise<Opened> {
  for (let attempt = 1; ; attempt++) {
    const client = new WorkerRpc(startWorker(options.workerUrl));
    const isAlone = attempt > MOST_ATTEMPTS;
    try {
      const loaded = await load(client, isAlone ? { ...options, threads: 1 } : options);
      if (isAlone) loaded.notices.push(oneThread("they did not start"));
      return { client, loaded };
    } catch (error) {
      client.close(toHearthError(error));
      // A stream was transferred to the first worker and cannot be read again.
      const again = client.threadsHang && !(options.model instanceof ReadableStream);
      if (!again || isAlone) throw error;
    }
  }
}

async function load(client: WorkerRpc, options: EngineOptions): Promise<LoadResult> {
  const { signal, onProgress } = options;
  throwIfAborted(signal);
  const { source, transfer } = await toSource(options);
  const mmproj = await toProjector(options, source);
  // The signal may have fired in the meantime, before there was a listener.
  throwIfAborted(signal);
  // Ending the worker is the only way to stop a load that works in every phase.
  const onAbort = (): void => {
    client.close(cancelled(signal?.reason));
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const request = toLoadRequest(options, source);
    if (mmproj !== undefined) request.mmproj = mmproj;
    return await client.call("load", request, { transfer, onProgress });
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

/**
 * This module's address, in a variable: written out below, it would make bundlers take the worker for a second file.
 */
const HERE: string = import.meta.url;

function startWorker(url: string | URL | undefined): Worker {
  const options = { type: "module", name: "hearth" } as const;
  if (url !== undefined) return startFrom(() => new Worker(url, options), url, options.name);
  // Bundlers search for exactly this expression, so it must stay in one piece.
  const start = (): Worker => new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "hearth" });
  return startFrom(start, new URL("./worker.js", HERE), options.name);
}

/** Model to inspect and the conditions to assume. */
export type InspectOptions = Pick<
  EngineOptions,
  "model" | "mmproj" | "totalBytes" | "download" | "signal" | "wasmUrl" | "workerUrl"
> &
  InspectorOptions;

/**
 * Reports a model's requirements from its header alone: no weights are fetched and no device is opened.
 *
 * A model that cannot be run has a report as well, with `unsupported` instead of `budget`.
 */
export async function inspectModel(options: InspectOptions): Promise<ModelReport> {
  const { signal } = options;
  throwIfAborted(signal);
  const { source, transfer } = await toSource(options);
  const request: InspectRequest = {
    source,
    download: toDownload(options.download ?? {}, source),
    options: given(options, "contextSize", "kvType", "bandwidth", "launchGap"),
  };
  if (options.wasmUrl !== undefined) request.wasmUrl = absolute(options.wasmUrl);
  const mmproj = await toProjector(options, source);
  if (mmproj !== undefined) request.mmproj = mmproj;
  const client = new WorkerRpc(startWorker(options.workerUrl));
  try {
    return await client.call("inspect", request, { transfer, signal });
  } finally {
    client.close(new HearthError("disposed", "the inspection has ended"));
  }
}

/** Model to fetch, and how. */
export type FetchOptions = Pick<
  EngineOptions,
  "model" | "mmproj" | "download" | "onProgress" | "signal" | "wasmUrl" | "workerUrl"
>;

/**
 * Fetches a model's files onto this device without loading them: while they come, another engine may run. Returns
 * whether all of them are kept; without a file system or room for them, `Engine.create` fetches them again.
 */
export async function fetchModel(options: FetchOptions): Promise<boolean> {
  const { signal, onProgress } = options;
  throwIfAborted(signal);
  const { source, transfer } = await toSource(options);
  const request: FetchRequest = { source, download: toDownload(options.download ?? {}, source) };
  if (options.wasmUrl !== undefined) request.wasmUrl = absolute(options.wasmUrl);
  const mmproj = await toProjector(options, source);
  if (mmproj !== undefined) request.mmproj = mmproj;
  const client = new WorkerRpc(startWorker(options.workerUrl));
  try {
    return await client.call("fetch", request, { transfer, signal, onProgress });
  } finally {
    client.close(new HearthError("disposed", "the download has ended"));
  }
}

function toLoadRequest(options: EngineOptions, source: SourceSpec): LoadRequest {
  const request: LoadRequest = {
    source,
    device: options.device ?? platform.device ?? "webgpu",
    deviceOptions: options.deviceOptions ?? {},
    download: toDownload(options.download ?? {}, source),
    cache: options.cache ?? "default",
    ...given(
      options,
      "contextSize",
      "kvType",
      "drafts",
      "quantize",
      "overrides",
      "threads",
      "contextStore",
      "conversations",
    ),
  };
  if (options.wasmUrl !== undefined) request.wasmUrl = absolute(options.wasmUrl);
  if (options.grammarUrl !== undefined) request.grammarUrl = absolute(options.grammarUrl);
  if (options.picturesUrl !== undefined) request.picturesUrl = absolute(options.picturesUrl);
  return request;
}

/** Returns the projector's source; undefined leaves the search to the worker. */
async function toProjector(
  { mmproj, download }: Pick<EngineOptions, "mmproj" | "download">,
  model: SourceSpec,
): Promise<ProjectorSpec | false | undefined> {
  if (mmproj === undefined || mmproj === false) return mmproj;
  // A name alone is that of a file beside the model.
  if (model.kind === "hub" && typeof mmproj === "string" && /^[^/\\:]+\.gguf$/i.test(mmproj)) {
    const { repository, revision, path = "" } = model.id;
    return { ...model, id: { repository, revision, path: path.replace(/[^/]*$/, "") + mmproj } };
  }
  const { source } = await toSource({ model: mmproj, ...(download !== undefined && { download }) });
  if (source.kind !== "port" && source.kind !== "files") return source;
  throw invalid("mmproj", "a file, an address or a repository", source.kind);
}
