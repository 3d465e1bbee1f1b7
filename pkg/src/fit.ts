/**
 * Whether a model fits this device, before anything of it but its header is fetched.
 *
 * Browsers tell neither how much memory a GPU has nor how much of it is free, so the verdict rests on what they tell: what
 * one buffer may hold, about how much memory the machine has, and what the site may keep. A verdict of `fits` can be wrong
 * on a GPU with little memory of its own; name its bytes as `memory` where they are known.
 */
import { measureBandwidth } from "./bandwidth.js";
import { estimateStorage } from "./diagnostics.js";
import { inspectModel, type InspectOptions } from "./engine.js";
import type { ModelReport, Quantize } from "./wasm-contract.js";

export interface FitOptions extends InspectOptions {
  /** Bytes that the model may take on the device. Default: 70% of what the browser says the machine has, where it does. */
  memory?: number;
  /** Measures the GPU's bandwidth, which takes a tenth of a second, to predict tokens a second. Default true. */
  probe?: boolean;
}

export interface Fit {
  /** `smaller`: with what `changes` names. */
  verdict: "fits" | "smaller" | "does_not_fit";
  /** Options of `Engine.create` with which it fits. */
  changes: { contextSize?: number; quantize?: Quantize };
  /** In words, what speaks against it as it is. */
  reasons: string[];
  /** Bytes. */
  needs: { weights: number; kv: number; scratch: number; total: number; download: number };
  has: {
    /** Bytes for the model; null where neither the caller nor the browser tells. */
    memory: number | null;
    /** Bytes of one binding; null without WebGPU. */
    binding: number | null;
    /** Bytes that the site may still keep; null where the browser does not tell. */
    storage: number | null;
  };
  /** The model is not kept on the device for want of room; it runs all the same. */
  uncached: boolean;
  /** An upper bound from the GPU's bandwidth; null where it was not measured. */
  tokens_per_second: number | null;
  report: ModelReport;
}

const SMALLEST_CONTEXT = 512;
const SHARE_OF_MEMORY = 0.7;
/** Bits a weight on the device. */
const QUANTIZED_BITS: Record<Quantize, number> = { q8: 9, q4: 5 };
const FLOAT_BITS: Record<string, number> = { F32: 32, F16: 16, BF16: 16 };

/** Reads the header, looks at the device, and says whether the model fits, and with what changes it would. */
export async function canRun(options: FitOptions): Promise<Fit> {
  const { memory, probe = true, ...inspect } = options;
  const bandwidth = inspect.bandwidth ?? (probe ? await measureBandwidth() : undefined);
  const [report, binding, storage] = await Promise.all([
    inspectModel(bandwidth === undefined ? inspect : { ...inspect, bandwidth }),
    largestBinding(),
    estimateStorage(),
  ]);
  return judge(report, {
    memory: memory ?? machineMemory(),
    binding,
    storage: storage === undefined ? null : storage.quota - storage.usage,
  });
}

/** The verdict on a report. */
export function judge(report: ModelReport, has: Fit["has"]): Fit {
  const { budget, unsupported } = report;
  const fit: Fit = {
    verdict: "fits",
    changes: {},
    reasons: [],
    needs: { weights: 0, kv: 0, scratch: 0, total: 0, download: report.tensor_bytes, ...budget?.memory },
    has,
    uncached: has.storage !== null && report.tensor_bytes > has.storage,
    tokens_per_second: budget?.device?.tokens_per_second ?? null,
    report,
  };
  if (budget === undefined) {
    return { ...fit, verdict: "does_not_fit", reasons: [unsupported?.message ?? "the model cannot be run"] };
  }
  const { memory, n_ctx, config } = budget;
  const perPosition = memory.kv / n_ctx;
  const layers = 2 * config.n_layers;
  if (has.binding !== null && memory.kv / layers > has.binding) {
    fit.reasons.push(`the KV cache of a layer takes ${mib(memory.kv / layers)} and the GPU binds ${mib(has.binding)}`);
  }
  if (has.memory !== null && memory.total > has.memory) {
    fit.reasons.push(`it takes ${mib(memory.total)} and there are about ${mib(has.memory)}`);
  }
  if (fit.reasons.length === 0) return fit;
  const limit = has.memory ?? Infinity;
  for (const quantize of [undefined, "q8", "q4"] as const) {
    const weights = quantize === undefined ? memory.weights : memory.weights - saved(report, quantize);
    // What it has already may be less than that.
    if (quantize !== undefined && weights >= memory.weights) continue;
    const positions = Math.min(
      n_ctx,
      Math.floor((limit - weights - memory.scratch) / perPosition),
      has.binding === null ? n_ctx : Math.floor((has.binding * layers) / perPosition),
    );
    if (positions < Math.min(SMALLEST_CONTEXT, n_ctx)) continue;
    if (quantize !== undefined) fit.changes.quantize = quantize;
    if (positions < n_ctx) fit.changes.contextSize = positions - (positions % 128) || positions;
    return { ...fit, verdict: "smaller" };
  }
  return { ...fit, verdict: "does_not_fit" };
}

/** Bytes that quantising the floats would save. */
function saved(report: ModelReport, quantize: Quantize): number {
  let sum = 0;
  for (const [name, { parameters }] of Object.entries(report.quants)) {
    const bits = FLOAT_BITS[name];
    if (bits !== undefined) sum += (parameters * (bits - QUANTIZED_BITS[quantize])) / 8;
  }
  return sum;
}

function machineMemory(): number | null {
  // Chromium's, in GiB, and never more than a few.
  const deviceMemory = (globalThis.navigator as { deviceMemory?: number } | undefined)?.deviceMemory;
  return deviceMemory === undefined ? null : deviceMemory * SHARE_OF_MEMORY * 2 ** 30;
}

async function largestBinding(): Promise<number | null> {
  const gpu = (globalThis.navigator as Navigator | undefined)?.gpu;
  const adapter = await gpu?.requestAdapter();
  return adapter?.limits.maxStorageBufferBindingSize ?? null;
}

function mib(bytes: number): string {
  return `${String(Math.ceil(bytes / 2 ** 20))} MiB`;
}
