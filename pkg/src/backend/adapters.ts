/** Adapters (LoRA) of an engine: added and removed while the model stays loaded, chosen by each request. */
import { HearthError, invalid, throwIfAborted } from "../core/errors.js";
import {
  PEFT_CONFIG,
  PEFT_TENSORS,
  type AdapterRequest,
  type AdapterSpec,
  type CacheMode,
  type DownloadOptions,
} from "../core/protocol.js";
import type { AdapterInfo } from "../core/wasm-contract.js";
import { toDownload, toSource, type ModelSource } from "../source/given.js";
import type { LocalBackend } from "./local.js";

/** An adapter to add. */
export interface AdapterOptions {
  /** Name by which requests choose it. */
  name: string;
  /**
   * GGUF: an address, a File, Blob or file handle. PEFT: the address of a folder (ending in `/`) or of its
   * `adapter_model.safetensors`, both files as an array, or a Hugging Face repository, `owner/name`.
   */
  source: AdapterSource;
  /** Factor of its change where a request names none. Default 1. */
  scale?: number;
  download?: DownloadOptions;
  /** Whether files from the network are kept on this device. Default: they are. */
  cache?: CacheMode;
}

export type AdapterSource = Exclude<ModelSource, ReadableStream>;

/** Adapters of an engine. Requests name them in `adapters`. */
export class Adapters {
  readonly #backend: Pick<LocalBackend, "addAdapter" | "removeAdapter" | "listAdapters">;

  /** @internal */
  constructor(backend: Pick<LocalBackend, "addAdapter" | "removeAdapter" | "listAdapters">) {
    this.#backend = backend;
  }

  /** Adds an adapter, once the requests before it are answered. The model is not loaded again. */
  async add(adapter: AdapterOptions, { signal }: { signal?: AbortSignal } = {}): Promise<AdapterInfo> {
    throwIfAborted(signal);
    return await this.#backend.addAdapter(await toAdapterRequest(adapter), signal);
  }

  /** Removes an adapter, once the requests before it are answered; resolves with whether there was one of this name. */
  remove(name: string): Promise<boolean> {
    return this.#backend.removeAdapter(name);
  }

  /** Returns the adapters, in the order in which they were added. */
  list(): Promise<AdapterInfo[]> {
    return this.#backend.listAdapters();
  }
}

/** Checks an adapter's description and makes it one that can be posted to a worker. */
export async function toAdapterRequest(adapter: AdapterOptions): Promise<AdapterRequest> {
  const { name, source: model, scale, download = {}, cache = "default" } = adapter;
  if (typeof name !== "string" || name === "") throw invalid("adapters.name", "a text", name);
  if (scale !== undefined && !Number.isFinite(scale)) throw invalid("adapters.scale", "a number", scale);
  const { source } = await toSource({ model, download });
  if (source.kind === "port") throw invalid("adapters.source", "a file, an address or a repository", "a stream");
  const spec = source.kind === "files" ? ofFiles(source.files) : source;
  const request: AdapterRequest = { name, source: spec, download: toDownload(download, source), cache };
  if (scale !== undefined) request.scale = scale;
  return request;
}

/** Finds an adapter among files: PEFT's two, or one in GGUF. */
function ofFiles(files: readonly File[]): AdapterSpec {
  const named = (end: string): File | undefined => files.find(({ name }) => name.endsWith(end));
  const config = named(PEFT_CONFIG);
  const tensors = named(PEFT_TENSORS);
  if (config !== undefined && tensors !== undefined) return { kind: "peft", config, tensors };
  const blob = named(".gguf");
  if (blob !== undefined) return { kind: "blob", blob };
  throw new HearthError("io_error", "reading the adapter failed: its files are not all there", {
    hint: `Give ${PEFT_CONFIG} and ${PEFT_TENSORS}, or one GGUF file.`,
  });
}
