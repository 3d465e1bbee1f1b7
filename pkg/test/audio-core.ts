/** Substitute for the part of the core that computes the networks of speech models. */
import type { WasmDevice, WasmSpeechNetwork, WasmSpeechNetworkLoader } from "../src/core/wasm-contract.js";
import type { NetworkCore } from "../src/audio/worker/network.js";
import { ModuleError } from "./audio-module.js";

const AT_FIRST = {
  /** Number of devices that were opened. */
  opened: 0,
  tensors: [] as string[],
  config: "",
  /** Windows that were heard, and steps: position, ids and picks. */
  heard: 0,
  steps: [] as [number, number[], number[]][],
  /** Called at each step. */
  onStep: undefined as (() => void) | undefined,
  aligned: [] as [number[], number[]][],
  /** Code of the error at the end of a load. */
  fault: undefined as string | undefined,
  freed: 0,
};

export const fakeCore = { ...AT_FIRST };

export function resetFakeCore(): void {
  Object.assign(fakeCore, AT_FIRST, { tensors: [], steps: [], aligned: [] });
}

class Network implements WasmSpeechNetwork {
  #left = 0;

  bytes(): number {
    return 1234;
  }

  hear(): void {
    fakeCore.heard++;
    this.#left = 3;
  }

  listen(): Promise<number> {
    this.#left--;
    return Promise.resolve(this.#left);
  }

  decode(from: number, ids: Uint32Array, picks: Uint32Array): Promise<Float32Array> {
    fakeCore.steps.push([from, [...ids], [...picks]]);
    fakeCore.onStep?.();
    // As long as a GPU's answer takes at least: messages of the page come in between.
    return new Promise((resolve) => setTimeout(resolve, 0, new Float32Array(8)));
  }

  align(ids: Uint32Array, heads: Uint32Array): Promise<Float32Array> {
    fakeCore.aligned.push([[...ids], [...heads]]);
    return Promise.resolve(new Float32Array(5));
  }

  free(): void {
    fakeCore.freed++;
  }
}

class NetworkLoader implements WasmSpeechNetworkLoader {
  tensor(name: string): void {
    fakeCore.tensors.push(name);
  }

  finish(config: string): Network {
    if (fakeCore.fault !== undefined) throw new ModuleError(fakeCore.fault, "the GPU failed");
    fakeCore.config = config;
    return new Network();
  }

  free(): void {
    fakeCore.freed++;
  }
}

const open = (): Promise<WasmDevice> => {
  fakeCore.opened++;
  return Promise.resolve({ tuning: () => ({}) } as WasmDevice);
};

/** The core, checked against its contract. */
export const CORE = {
  default: () => Promise.resolve({}),
  version: () => "0",
  Device: { open },
  SpeechNetworkLoader: NetworkLoader,
} as unknown as NetworkCore;
