/** Worker side: makes a speech model of its files. */
import { toHearthError, type HearthError } from "../../core/errors.js";
import type { LoadProgress, Notice } from "../../core/protocol.js";
import type { WasmSpeechNetwork, WasmSpeechNetworkLoader } from "../../core/wasm-contract.js";
import { Sha256 } from "../../source/sha256.js";
import { accessTo } from "../../worker/access.js";
import { pushAll } from "../../worker/module-load.js";
import type { AudioWasm, WasmSpeechModel } from "../module.js";
import type { SpeechLoadRequest } from "../protocol.js";
import { findSpeechModel } from "./files.js";
import { giveTensors, openNetwork, type NetworkCore } from "./network.js";

/** Width of whisper-base, up to which one thread of the CPU is faster than real time. */
const WIDTH_OF_BASE = 512;
/** Width beyond which a header is damaged. */
const MOST_WIDTH = 8192;
/** Offset of the width in a ggml file: behind its first letters, the size of its vocabulary and the rows of its encoder. */
const WIDTH_IN_GGML = 12;

export interface SpeechLoadTools {
  wasm: AudioWasm;
  core: NetworkCore;
  coreUrl: string | URL;
  signal: AbortSignal;
  report: (progress: LoadProgress) => void;
  notify: (notice: Notice) => void;
}

export interface LoadedSpeech {
  model: WasmSpeechModel;
  /** Its network, if that is on the GPU. */
  network: WasmSpeechNetwork | undefined;
}

/** Loads a model. With `"auto"`, one that the GPU fails at is loaded on the CPU, and a notice says why. */
export async function loadSpeechModel(request: SpeechLoadRequest, tools: SpeechLoadTools): Promise<LoadedSpeech> {
  const load = new SpeechLoad(request, tools);
  try {
    return await load.run();
  } catch (error) {
    const reason = toHearthError(error);
    if (request.device !== "auto" || !load.isOnGpu || !isOfGpu(reason)) throw reason;
    load.freeNetwork();
    tools.notify(fallback(reason));
    return await new SpeechLoad({ ...request, device: "cpu" }, tools).run();
  }
}

class SpeechLoad {
  readonly #request: SpeechLoadRequest;
  readonly #tools: SpeechLoadTools;
  #network: WasmSpeechNetworkLoader | undefined;

  constructor(request: SpeechLoadRequest, tools: SpeechLoadTools) {
    this.#request = request;
    this.#tools = tools;
  }

  get isOnGpu(): boolean {
    return this.#network !== undefined;
  }

  freeNetwork(): void {
    this.#network?.free();
  }

  async run(): Promise<LoadedSpeech> {
    const { wasm, signal, report, notify } = this.#tools;
    const { source, download } = this.#request;
    const access = accessTo(Sha256, this.#request, signal, notify);
    const { texts, weights } = await findSpeechModel(source, signal, download, access.open, access.hub);
    const loader = new wasm.SpeechLoader();
    let isFirst = true;
    const push = async (chunk: Uint8Array): Promise<void> => {
      if (isFirst) {
        isFirst = false;
        this.#network = await this.#chooseNetwork(texts, chunk);
        if (this.#network !== undefined) loader.handOver();
        for (const [name, text] of texts) loader.text(name, text);
      }
      loader.push(chunk);
      if (this.#network !== undefined) giveTensors(loader, this.#network);
    };
    const received = await pushAll([weights], push, signal, report);
    const loaded = ((): LoadedSpeech => {
      if (this.#network === undefined) return { model: loader.finish(), network: undefined };
      const model = loader.finishElsewhere();
      return { model, network: this.#network.finish(model.network()) };
    })();
    await access.finish();
    report({ phase: "ready", loaded: received, total: received });
    return loaded;
  }

  /** Opens the GPU if the model is for it. */
  async #chooseNetwork(texts: Map<string, string>, first: Uint8Array): Promise<WasmSpeechNetworkLoader | undefined> {
    const { device } = this.#request;
    const { core, coreUrl, notify } = this.#tools;
    if (device === "cpu" || (device === "auto" && widthOf(texts, first) <= WIDTH_OF_BASE)) return undefined;
    try {
      return await openNetwork(core, this.#request.coreUrl ?? coreUrl);
    } catch (error) {
      const reason = toHearthError(error);
      if (device !== "auto") throw reason;
      notify(fallback(reason));
      return undefined;
    }
  }
}

/** Returns the width of a model by its texts or the first bytes of a ggml file; 0 if they do not say it, which the module then refuses. */
export function widthOf(texts: Map<string, string>, first: Uint8Array): number {
  const config = texts.get("config.json");
  if (config === undefined) {
    const view = new DataView(first.buffer, first.byteOffset, first.byteLength);
    const width = first.length < WIDTH_IN_GGML + 4 ? 0 : view.getUint32(WIDTH_IN_GGML, true);
    return width > MOST_WIDTH ? 0 : width;
  }
  try {
    const { d_model } = JSON.parse(config) as { d_model?: unknown };
    return typeof d_model === "number" ? d_model : 0;
  } catch {
    return 0;
  }
}

function isOfGpu({ code }: HearthError): boolean {
  return code === "gpu_error" || code === "device_lost" || code === "out_of_memory";
}

function fallback(reason: HearthError): Notice {
  return {
    code: "cpu_fallback",
    message: `The model runs on the CPU, which is much slower. ${reason.message}`,
    hint: reason.hint,
  };
}
