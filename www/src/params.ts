/**
 * The page's URL parameters, for tests and for people who want to try things:
 * `?model=URL` loads at once; `device=webgpu|cpu|auto`; `limits=default`, `features=none`, `arithmetic=f32|f16|i15`,
 * `tuning=JSON` (`DeviceTuning`, instead of measuring); `context=N`, `kv=f16|f32|q8`, `drafts=auto|always|off`,
 * `quantize=q8|q4`; `threads=N`;
 * `temperature`, `top_p`, `top_k`, `min_p`, `seed`, `max_tokens`; `stall_ms=N`, `retries=N` for the download;
 * `memory=BYTES` that a model may take; `alone=1` keeps the model to this tab.
 */
import type { DeviceTuning, EngineOptions } from "hearth-llm";

const SAMPLING = ["temperature", "top_p", "top_k", "min_p", "seed", "max_tokens"] as const;

type Sampling = Partial<Record<(typeof SAMPLING)[number], number>>;

export interface PageParams {
  model: string | undefined;
  /** All engine options that the address can set. */
  engine: Pick<
    EngineOptions,
    | "device"
    | "deviceOptions"
    | "download"
    | "cache"
    | "recover"
    | "contextSize"
    | "kvType"
    | "drafts"
    | "quantize"
    | "threads"
  >;
  /** Bytes that a model may take, for browsers that report nothing or a wrong value. */
  memory: number | undefined;
  /** Whether this tab has a model of its own, instead of one that all tabs of the site share. */
  isAlone: boolean;
  sampling: Sampling;
}

export function readParams(search: string): PageParams {
  const query = new URLSearchParams(search);
  const number = (name: string): number | undefined => {
    const value = query.get(name);
    // Not validated here: the engine refuses invalid values, and the page shows its error.
    return value === null ? undefined : Number(value);
  };

  const engine: PageParams["engine"] = { deviceOptions: {}, download: {} };
  const device = query.get("device");
  if (device === "cpu" || device === "webgpu" || device === "auto") engine.device = device;
  if (query.get("limits") === "default") engine.deviceOptions = { ...engine.deviceOptions, limits: "default" };
  if (query.get("features") === "none") engine.deviceOptions = { ...engine.deviceOptions, features: "none" };
  const arithmetic = query.get("arithmetic");
  if (arithmetic === "f32" || arithmetic === "f16" || arithmetic === "i15") {
    engine.deviceOptions = { ...engine.deviceOptions, arithmetic };
  }
  const tuning = readTuning(query.get("tuning"));
  if (tuning !== undefined) engine.deviceOptions = { ...engine.deviceOptions, tuning };
  const kvType = query.get("kv");
  if (kvType === "f16" || kvType === "f32" || kvType === "q8") engine.kvType = kvType;
  const drafts = query.get("drafts");
  if (drafts === "auto" || drafts === "always" || drafts === "off") engine.drafts = drafts;
  const quantize = query.get("quantize");
  if (quantize === "q8" || quantize === "q4") engine.quantize = quantize;
  const cache = query.get("cache");
  if (cache === "default" || cache === "reload" || cache === "no-store") engine.cache = cache;
  if (query.get("recover") === "off") engine.recover = false;
  const hub = query.get("hub");
  if (hub !== null) engine.download = { ...engine.download, hub };
  const stallTimeoutMs = number("stall_ms");
  if (stallTimeoutMs !== undefined) engine.download = { ...engine.download, stallTimeoutMs };
  const retries = number("retries");
  if (retries !== undefined) engine.download = { ...engine.download, retries };
  const threads = number("threads");
  if (threads !== undefined) engine.threads = threads;
  const contextSize = number("context");
  if (contextSize !== undefined) engine.contextSize = contextSize;

  const sampling: Sampling = {};
  for (const name of SAMPLING) {
    const value = number(name);
    if (value !== undefined) sampling[name] = value;
  }
  return {
    model: query.get("model") ?? undefined,
    engine,
    memory: number("memory"),
    isAlone: query.has("alone"),
    sampling,
  };
}

export const params = readParams(location.search);

/** Reads a device's tuning for tests of what a device would choose. The core validates it. */
function readTuning(text: string | null): DeviceTuning | undefined {
  if (text === null) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as DeviceTuning) : undefined;
  } catch {
    return undefined;
  }
}
