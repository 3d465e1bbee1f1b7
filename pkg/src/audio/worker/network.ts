/** Worker side: the network of a speech model on the GPU, computed by the core. */
import { HearthError, throwIfAborted, toHearthError } from "../../core/errors.js";
import type {
  CoreExports,
  NetworkExports,
  WasmSpeechNetwork,
  WasmSpeechNetworkLoader,
} from "../../core/wasm-contract.js";
import { requireWebGpu } from "../../worker/gpu-probe.js";
import { openGpu } from "../../worker/open-gpu.js";
import type { NetworkWork, SpeechEvent, WasmSpeechLoader, WasmTranscriptionRun } from "../module.js";

/** The part of the core that computes networks. */
export type NetworkCore = NetworkExports &
  Pick<CoreExports, "Device" | "version"> & { default(arg: { module_or_path: URL | string }): Promise<unknown> };

/** Tokens after which a run tells how far it is. */
const TOKENS_AT_ONCE = 8;
const NO_NUMBERS = new Float32Array();

/** Starts the core and opens the GPU. */
export async function openNetwork(core: NetworkCore, url: string | URL): Promise<WasmSpeechNetworkLoader> {
  const adapter = await requireWebGpu();
  try {
    await core.default({ module_or_path: url });
  } catch (cause) {
    throw new HearthError("wasm_failed", `the WebAssembly core could not be started: ${toHearthError(cause).message}`, {
      cause,
      hint: "Check that the server has hearth_bg.wasm beside the worker, or name its place as coreUrl.",
    });
  }
  return new core.SpeechNetworkLoader(await openGpu(core, {}, adapter));
}

/** Gives the tensors that have come to the network. */
export function giveTensors(from: WasmSpeechLoader, to: WasmSpeechNetworkLoader): void {
  for (let tensor = from.handed(); tensor !== undefined; tensor = from.handed()) {
    const { name, rows, cols, halves } = tensor;
    to.tensor(name, rows, cols, halves, tensor.take());
    tensor.free();
  }
}

/** Takes a step of a run whose network is on the GPU; returns its event as JSON. */
export async function stepOnGpu(
  run: WasmTranscriptionRun,
  network: WasmSpeechNetwork,
  signal: AbortSignal,
): Promise<string | undefined> {
  let tokens = 0;
  for (;;) {
    throwIfAborted(signal);
    const text = run.next();
    if (text === undefined) return undefined;
    const work = JSON.parse(text) as SpeechEvent | NetworkWork;
    if (work.type === "encode") {
      network.hear(run.mel());
      while ((await network.listen()) > 0) throwIfAborted(signal);
      return run.answer(NO_NUMBERS);
    }
    if (work.type === "align") {
      const heads = Uint32Array.from(work.heads.flat());
      return run.answer(await network.align(Uint32Array.from(work.ids), heads));
    }
    if (work.type !== "decode") return text;
    const numbers = await network.decode(work.from, Uint32Array.from(work.ids), Uint32Array.from(work.picks));
    const event = run.answer(numbers);
    tokens += 1;
    if (tokens === TOKENS_AT_ONCE || (JSON.parse(event) as SpeechEvent).type !== "progress") return event;
  }
}
