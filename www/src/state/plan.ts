/** What a model would take, before anything of it but its header is fetched. */
import { signal } from "@preact/signals";
import { canRun, type Fit } from "hearth";
import * as cache from "hearth/cache";
import { params } from "../params.js";
import type { Choice, Source } from "./model.js";

export type PlanState =
  | { name: "none" }
  | { name: "reading"; source: Source }
  | { name: "known"; source: Source; fit: Fit; kept: number }
  | { name: "failed"; source: Source; error: unknown };

export const plan = signal<PlanState>({ name: "none" });
/** Files that are on this device. */
export const installed = signal<readonly cache.CachedFile[]>([]);

let controller: AbortController | undefined;

/** Reads the header of a model and works out what it needs. */
export async function look(source: Source): Promise<Fit | undefined> {
  controller?.abort();
  const current = new AbortController();
  controller = current;
  plan.value = { name: "reading", source };
  try {
    const { contextSize, kvType, download, device } = params.engine;
    const [fit] = await Promise.all([
      canRun({
        model: source,
        signal: current.signal,
        ...(contextSize === undefined ? {} : { contextSize }),
        // What the engine takes by default depends on the device.
        ...(kvType !== undefined ? { kvType } : device === "cpu" ? { kvType: "f32" as const } : {}),
        ...(download === undefined ? {} : { download }),
        ...(params.memory === undefined ? {} : { memory: params.memory }),
      }),
      refreshInstalled(),
    ]);
    if (controller !== current) return undefined;
    plan.value = { name: "known", source, fit, kept: Math.min(keptBytes(source), fit.needs.download) };
    return fit;
  } catch (error) {
    if (controller === current) plan.value = { name: "failed", source, error };
    return undefined;
  }
}

export function forgetPlan(): void {
  controller?.abort();
  controller = undefined;
  plan.value = { name: "none" };
}

/** The model as it is, or with what makes it fit. */
export function choiceOf(source: Source, fit?: Fit): Choice {
  const { device } = params.engine;
  return { source, options: { ...(device === undefined ? {} : { device }), ...(fit?.changes ?? {}) } };
}

export async function refreshInstalled(): Promise<void> {
  try {
    installed.value = await cache.list();
  } catch {
    installed.value = [];
  }
}

/** Bytes of a model that are on the disk. */
export function keptBytes(source: Source): number {
  if (typeof source !== "string") return 0;
  return filesOf(source).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Whether a model can be loaded without the network. */
export function isKeptWhole(source: string): boolean {
  const files = filesOf(source);
  return files.length > 0 && files.every(({ complete }) => complete);
}

/** Its files on this device: by their address, those of a folder, or by the repository (and quantisation) that they are from. */
function filesOf(source: string): readonly cache.CachedFile[] {
  const hub = /^(?:https:\/\/huggingface\.co\/)?([\w.-]+\/[\w.-]+)(?::([\w.-]+))?(?:@.*)?$/.exec(source);
  if (hub !== null) {
    const [, repository = "", tag = ""] = hub;
    const isFrom = (url: string): boolean => url.includes(`/${repository}/resolve/`);
    return installed.value.filter(({ url }) => isFrom(url) && url.toLowerCase().includes(tag.toLowerCase()));
  }
  const address = new URL(source, document.baseURI).href;
  return installed.value.filter(({ url }) => url === address || (address.endsWith("/") && url.startsWith(address)));
}
