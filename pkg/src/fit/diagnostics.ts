/** Facts needed to investigate a problem, in one object without secrets. */
import { storage } from "../core/platform.js";
import type { EngineStats, DeviceInfo, ModelInfo } from "../core/wasm-contract.js";

export interface Diagnostics {
  version: string;
  userAgent: string;
  /** Whether memory can be shared with threads. */
  crossOriginIsolated: boolean;
  device: DeviceInfo;
  model: ModelInfo;
  stats: EngineStats;
  /** The site's storage in bytes; absent if the browser does not report it. */
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
  const room = await estimateStorage();
  if (room !== undefined) report.storage = room;
  return report;
}

/** Returns the bytes that the site may store and has stored; undefined if the browser does not report them. */
export async function estimateStorage(): Promise<{ quota: number; usage: number } | undefined> {
  try {
    const { quota, usage } = (await storage()?.estimate()) ?? {};
    return quota === undefined || usage === undefined ? undefined : { quota, usage };
  } catch {
    return undefined;
  }
}
