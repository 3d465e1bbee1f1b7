/**
 * Predicts whether a model fits this device, fetching only its header.
 *
 * Browsers report neither how much memory a GPU has nor how much of it is free, and of large machines only that they
 * are large. So the verdict comes with its evidence: a number from the caller, a measurement (limits of the adapter,
 * memory that the GPU granted and got back), or a guess from the machine's memory. Without evidence, it is `unknown`.
 */
import { estimateStorage } from "./diagnostics.js";
import { inspectModel, type InspectOptions } from "../engine.js";
import { roomOnMachine } from "./memory.js";
import { probeMemory } from "./memory-probe.js";
import { measureSpeed } from "./speed.js";
import type { ModelReport, PredictedSpeed, Quantize } from "../core/wasm-contract.js";

export interface FitOptions extends InspectOptions {
  /**
   * Bytes that the model may take on the device. Default: measured if possible, else guessed from the machine's memory.
   */
  memory?: number;
  /**
   * Whether to measure the GPU. Its bandwidth and the time between launches, which takes a tenth of a second, predict
   * tokens per second; its memory is allocated and given back only if nothing else shows whether there is enough.
   * Default true.
   */
  probe?: boolean;
  /**
   * Bytes of the adapters (LoRA) that will be added, as `engine.adapters.list()` tells them: four a value. Files have two or
   * four. Default 0.
   */
  adapterBytes?: number;
}

/** Basis of a verdict. */
export type Evidence = "measured" | "told" | "guessed";

/** Bytes available for a model: at least `least`, and at most `most`, if known. */
export interface Room {
  least: number;
  most: number | null;
  by: Evidence;
}

/**
 * A predicted speed. The model's launches are known exactly; the time of each is computed from the bandwidth, the time
 * between launches, and latencies and caches that are assumed to be those of a known device, `like`.
 */
export interface FitSpeed extends PredictedSpeed {
  /** Whether the bandwidth was measured here or given by the caller. */
  evidence: "measured" | "told";
}

export interface Fit {
  /**
   * `smaller`: fits with the options in `changes`. `unknown`: there is no evidence on memory; only a load will show.
   */
  verdict: "fits" | "smaller" | "does_not_fit" | "unknown";
  /** Evidence for the verdict; null if it is unknown, or if the model cannot be run anywhere. */
  evidence: Evidence | null;
  /** Options of `Engine.create` with which the model fits. */
  changes: { contextSize?: number; quantize?: Quantize };
  /** Reasons why it does not fit unchanged, in words. */
  reasons: string[];
  /** Requirements in bytes. */
  needs: {
    weights: number;
    kv: number;
    state: number;
    scratch: number;
    vision: number;
    /** Adapters on the device. */
    adapters: number;
    total: number;
    download: number;
  };
  has: {
    /** Bytes for the model, or a lower bound of them; null if unknown. */
    memory: number | null;
    /** Largest binding in bytes; null without WebGPU. */
    binding: number | null;
    /** Bytes that the site may still store; null if the browser does not report them. */
    storage: number | null;
  };
  /** The model cannot be kept on the device for lack of storage; it runs all the same. */
  uncached: boolean;
  /** Predicted for a full context, see `speed`; null if the GPU's bandwidth was neither given nor measured. */
  tokens_per_second: number | null;
  /** Basis of the prediction; null where there is none, and for models that do not generate. */
  speed: FitSpeed | null;
  report: ModelReport;
}

const SMALLEST_CONTEXT = 512;
/** Bytes that any machine with a current browser has for a model. */
const LEAST_ANYWHERE = 512 * 2 ** 20;
/** Bits per weight on the device. */
const QUANTIZED_BITS: Record<Quantize, number> = { q8: 9, q4: 5 };
const FLOAT_BITS: Record<string, number> = { F32: 32, F16: 16, BF16: 16 };

/** Reads the header, examines the device, and returns whether the model fits or with what changes it would. */
export async function canRun(options: FitOptions): Promise<Fit> {
  const { memory, probe = true, adapterBytes = 0, ...inspect } = options;
  const told = inspect.bandwidth !== undefined;
  const found = told || !probe ? undefined : await measureSpeed();
  const { bandwidth, launchGap = inspect.launchGap } = found ?? {};
  const [report, binding, storage] = await Promise.all([
    inspectModel({
      ...inspect,
      ...(bandwidth === undefined ? {} : { bandwidth }),
      ...(launchGap === undefined ? {} : { launchGap }),
    }),
    largestBinding(),
    estimateStorage(),
  ]);
  const room = await roomFor((report.budget?.memory.total ?? 0) + adapterBytes, memory, probe);
  const fit = judge(
    report,
    {
      memory: room.most ?? (room.least > LEAST_ANYWHERE ? room.least : null),
      binding,
      storage: storage === undefined ? null : storage.quota - storage.usage,
    },
    room,
    adapterBytes,
  );
  const speed = report.budget?.device?.speed;
  return speed == null ? fit : { ...fit, speed: { ...speed, evidence: told ? "told" : "measured" } };
}

async function roomFor(bytes: number, told: number | undefined, probe: boolean): Promise<Room> {
  if (told !== undefined) return { least: told, most: told, by: "told" };
  const { least = LEAST_ANYWHERE, most = null } = roomOnMachine() ?? {};
  const guess: Room = { least, most, by: "guessed" };
  const granted = bytes <= least || !probe ? undefined : await probeMemory(bytes);
  if (granted === undefined) return guess;
  if (granted < bytes) return { least: granted, most: granted, by: "measured" };
  // A driver that grants more than the machine seems to have may be overcommitting.
  return most === null ? { least: granted, most, by: "measured" } : { ...guess, most: null };
}

/** Returns the verdict on a report. */
export function judge(report: ModelReport, has: Fit["has"], room: Room = roomOf(has), adapters = 0): Fit {
  const { budget, unsupported } = report;
  const total = (budget?.memory.total ?? 0) + adapters;
  const fit: Fit = {
    verdict: "fits",
    evidence: room.by,
    changes: {},
    reasons: [],
    needs: {
      ...{ weights: 0, kv: 0, state: 0, scratch: 0, vision: 0, total: 0 },
      download: report.tensor_bytes,
      ...budget?.memory,
      ...{ adapters, total },
    },
    has,
    uncached: has.storage !== null && report.tensor_bytes > has.storage,
    tokens_per_second: budget?.device?.tokens_per_second ?? null,
    speed: null,
    report,
  };
  if (budget === undefined) {
    return { ...fit, verdict: "does_not_fit", evidence: null, reasons: [unsupported.message] };
  }
  const { memory, n_ctx } = budget;
  const perPosition = memory.kv / n_ctx;
  if (has.binding !== null && memory.kv_binding > has.binding) {
    fit.reasons.push(`the KV cache of a layer takes ${mib(memory.kv_binding)} and the GPU binds ${mib(has.binding)}`);
  }
  const isBound = fit.reasons.length > 0;
  const isFull = room.most !== null && total > room.most;
  if (isFull) fit.reasons.push(`it takes ${mib(total)} and there are about ${mib(room.most ?? 0)}`);
  if (!isBound && !isFull) {
    if (total <= room.least) return fit;
    const least = room.least > 0 ? ` beyond ${mib(room.least)}` : "";
    fit.reasons.push(`it takes ${mib(total)}, and nothing here tells how much memory there is${least}`);
    return { ...fit, verdict: "unknown", evidence: null };
  }
  if (!isFull) fit.evidence = "measured";
  const limit = room.most ?? Infinity;
  for (const quantize of [undefined, "q8", "q4"] as const) {
    const weights = quantize === undefined ? memory.weights : memory.weights - saved(report, quantize);
    // Weights may already be smaller than quantising would make them.
    if (quantize !== undefined && weights >= memory.weights) continue;
    const positions = Math.min(
      n_ctx,
      Math.floor((limit - weights - memory.state - memory.scratch - memory.vision - adapters) / perPosition),
      has.binding === null ? n_ctx : Math.floor((has.binding * n_ctx) / memory.kv_binding),
    );
    if (positions < Math.min(SMALLEST_CONTEXT, n_ctx)) continue;
    if (quantize !== undefined) fit.changes.quantize = quantize;
    if (positions < n_ctx) fit.changes.contextSize = positions - (positions % 128) || positions;
    return { ...fit, verdict: "smaller" };
  }
  return { ...fit, verdict: "does_not_fit" };
}

/** Returns the bytes saved by quantising the float weights. */
function saved(report: ModelReport, quantize: Quantize): number {
  let sum = 0;
  for (const [name, { parameters }] of Object.entries(report.quants)) {
    const bits = FLOAT_BITS[name];
    if (bits !== undefined) sum += (parameters * (bits - QUANTIZED_BITS[quantize])) / 8;
  }
  return sum;
}

/** Returns the room if only a number, or nothing, is known. */
function roomOf({ memory }: Fit["has"]): Room {
  return memory === null ? { least: 0, most: null, by: "guessed" } : { least: memory, most: memory, by: "told" };
}

async function largestBinding(): Promise<number | null> {
  const gpu = (globalThis.navigator as Navigator | undefined)?.gpu;
  const adapter = await gpu?.requestAdapter();
  return adapter?.limits.maxStorageBufferBindingSize ?? null;
}

function mib(bytes: number): string {
  return `${String(Math.ceil(bytes / 2 ** 20))} MiB`;
}
