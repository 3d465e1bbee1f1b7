/** What someone who looks into a problem wants to know, in one object without secrets. */
import type { EngineStats, DeviceInfo, ModelInfo } from "../core/wasm-contract.js";

export interface Diagnostics {
  version: string;
  userAgent: string;
  /** Whether memory can be shared with threads. */
  crossOriginIsolated: boolean;
  device: DeviceInfo;
  model: ModelInfo;
  stats: EngineStats;
  /** Of the browser for this site, in bytes; absent where it does not tell. */
  storage?: { quota: number; usage: number };
}

export async function diagnose(
  engine: Pick<Diagnostics, "version" | "device" | "model">,
  stats: EngineStats,
): Promise<Diagnostics> {
  const { version, device, model } = engine;
  const report: Diagnostics = {
    version,
    userAgent: typeof navigator === "undefined" ? "" : navigator.userAgent,
    crossOriginIsolated: (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true,
    device,
    model,
    stats,
  };
  const storage = await estimateStorage();
  if (storage !== undefined) report.storage = storage;
  return report;
}

/** Bytes that the site may keep and keeps; undefined where the browser does not tell. */
export async function estimateStorage(): Promise<{ quota: number; usage: number } | undefined> {
  try {
    const { quota, usage } = await navigator.storage.estimate();
    return quota === undefined || usage === undefined ? undefined : { quota, usage };
  } catch {
    return undefined;
  }
}
