/** The resources a model would need, worked out before anything but its header is fetched. */
import { computed, signal } from "@preact/signals";
import { canRun, type Fit, type FitSpeed, type LocalEngine } from "hearth-llm";
import * as cache from "hearth-llm/cache";
import { addressOf, HUB, hubIdOf, isOnHub, isOurs } from "../models/address.js";
import { CATALOG, DEFAULT_MODEL, entryOf } from "../models/catalog.js";
import { offersFor, type Device } from "../models/recommend.js";
import { params } from "../params.js";
import { visitorLanguage } from "../text/index.js";
import { inLightOfRuns } from "./ran.js";
import { settings } from "./settings.js";
import type { Choice, Source } from "./choice.js";

export type PlanState =
  | { name: "none" }
  | { name: "reading"; source: Source }
  | { name: "known"; source: Source; fit: Fit; kept: number }
  | { name: "failed"; source: Source; error: unknown };

export const plan = signal<PlanState>({ name: "none" });
/** Files on this device. */
export const installed = signal<readonly cache.CachedFile[]>([]);

/** Share of a card's memory left over by the screen and other programs. */
const SHARE = 0.9;

/** Findings of a plan about this device; nothing before the first one. */
export const device = signal<Device>({ memory: null, bandwidth: undefined });
/** The models to offer for this device, in the visitor's language. */
export const offers = computed(() => offersFor(CATALOG, device.value, visitorLanguage.value));
/** Bytes per second that the CPU path reads, of the order of what was measured. */
const CPU_BANDWIDTH = 5e9;

let controller: AbortController | undefined;
/** The GPU's measurements, as `canRun` takes them; undefined until measured. */
let measured: { bandwidth: number; launchGap?: number } | undefined;

type Wishes = Pick<Choice["options"], "contextSize" | "kvType">;

/** The visitor's deviations from the engine's defaults, for the model being looked at. */
export const wishes = signal<Wishes>({});

/** Plans the same model again, with one wish changed. */
export function wish<K extends keyof Wishes>(name: K, value: Wishes[K] | undefined): void {
  const { contextSize, kvType }: Partial<Record<keyof Wishes, unknown>> = { ...wishes.value, [name]: value };
  const wanted = Object.fromEntries(
    Object.entries({ contextSize, kvType }).filter(([, wish]) => wish !== undefined),
  ) as Wishes;
  lookAgain(wanted);
}

/** Recomputes the current plan after something that it depends on has changed. */
export function lookAgain(wanted = wishes.value): void {
  if (plan.value.name !== "none") void look(plan.value.source, wanted);
}

/** Reads the header of a model and works out what it needs. */
export async function look(source: Source, wanted: Wishes = {}): Promise<Fit | undefined> {
  controller?.abort();
  const current = new AbortController();
  controller = current;
  wishes.value = wanted;
  // While only a wish is recomputed, the previous result stays visible.
  if (plan.value.name !== "known" || plan.value.source !== source) plan.value = { name: "reading", source };
  try {
    const { contextSize, kvType, device } = { ...params.engine, ...wanted };
    const memory = params.memory ?? settings.value.memory * 2 ** 30 * SHARE;
    const download = downloadOptions(source);
    const [found] = await Promise.all([
      canRun({
        model: source,
        signal: current.signal,
        ...(contextSize === undefined ? {} : { contextSize }),
        // The engine's default depends on the device.
        ...(kvType !== undefined ? { kvType } : device === "cpu" ? { kvType: "f32" as const } : {}),
        download,
        // On the CPU the speed is not bound by memory bandwidth.
        ...(device === "cpu" ? { probe: false } : measured),
        ...(memory > 0 ? { memory } : {}),
      }),
      refreshInstalled(),
    ]);
    const fit = device === "cpu" ? found : inLightOfRuns(found);
    const { speed } = fit;
    if (speed !== null) {
      measured = { bandwidth: speed.bandwidth, ...(speed.gap_measured ? { launchGap: speed.gap } : {}) };
    }
    learn(fit);
    if (controller !== current) return undefined;
    plan.value = { name: "known", source, fit, kept: Math.min(keptBytes(source), fit.needs.download) };
    return fit;
  } catch (error) {
    if (controller === current) plan.value = { name: "failed", source, error };
    return undefined;
  }
}

/** Notes what a plan says about the device. */
function learn({ has, evidence, speed }: Fit): void {
  const isCpu = params.engine.device === "cpu" || has.binding === null;
  device.value = {
    memory: evidence === null ? device.peek().memory : has.memory,
    bandwidth: isCpu ? CPU_BANDWIDTH : (speed?.bandwidth ?? measured?.bandwidth),
  };
}

/**
 * Predicts a running model's speed with `positions` in use; undefined on the CPU, and if the GPU has not been measured.
 */
export async function predictSpeed(
  source: Source,
  { kv_type, n_ctx }: Pick<LocalEngine["model"], "kv_type" | "n_ctx">,
  positions: number,
): Promise<FitSpeed | undefined> {
  if (measured === undefined) return undefined;
  const contextSize = Math.min(positions, n_ctx);
  const download = downloadOptions(source);
  const { speed } = await canRun({ model: source, contextSize, kvType: kv_type, download, ...measured });
  return speed === null ? undefined : { ...speed, evidence: "measured" };
}

/** Returns the bytes that a model takes on the device, as far as a plan or the list tells; 0 if neither does. */
export function bytesOf({ source }: Choice): number {
  const known = plan.peek();
  if (known.name === "known" && known.source === source) return known.fit.needs.total;
  return entryOf(source)?.bytes ?? 0;
}

export function forgetPlan(): void {
  controller?.abort();
  controller = undefined;
  plan.value = { name: "none" };
}

/** Returns the model with the visitor's wishes, and with the changes that make it fit. */
export function choiceOf(source: Source, fit?: Fit): Choice {
  const { device } = params.engine;
  const wanted = fit === undefined ? {} : wishes.value;
  return { source, options: { ...(device === undefined ? {} : { device }), ...wanted, ...(fit?.changes ?? {}) } };
}

/** Returns the model that ran last, with its options. */
export function lastChoice(): Choice {
  const { model, modelOptions } = settings.value;
  const choice = choiceOf(model || DEFAULT_MODEL);
  return model === "" ? choice : { ...choice, options: { ...modelOptions, ...choice.options } };
}

/** Returns the download options from the page's address, plus the visitor's token for Hugging Face. */
export function downloadOptions(source: Source): NonNullable<typeof params.engine.download> {
  const options = params.engine.download ?? {};
  const { hubToken } = settings.value;
  const mayKnow = typeof source === "string" && isOnHub(source);
  // The token must not reach another hub.
  if (hubToken === "" || !mayKnow || options.hub !== undefined) return options;
  return { ...options, headers: { Authorization: `Bearer ${hubToken}` } };
}

export async function refreshInstalled(): Promise<void> {
  try {
    installed.value = await cache.list();
  } catch {
    installed.value = [];
  }
}

/** Deletes a file; returns false if it is being read or fetched right now, here or in another tab. */
export async function removeKept(url: string): Promise<boolean> {
  try {
    await cache.delete(url);
    return true;
  } catch {
    return false;
  } finally {
    await refreshInstalled();
  }
}

/**
 * Approximate number of bytes to fetch before a model can run; undefined if its file list would have to be requested
 * first.
 */
export function missingBytes(source: Source): number | undefined {
  if (typeof source !== "string" || isKeptWhole(source)) return 0;
  const bytes = entryOf(source)?.bytes;
  return bytes === undefined ? undefined : Math.max(0, bytes - keptBytes(source));
}

/** Returns the number of bytes of a model that are on disk. */
export function keptBytes(source: Source): number {
  if (typeof source !== "string") return 0;
  return filesOf(source).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Whether a model can be loaded without the network. */
export function isKeptWhole(source: string): boolean {
  const files = filesOf(source);
  return files.length > 0 && files.every(({ complete }) => complete);
}

/**
 * Whether a model may be loaded without asking the visitor. A link from elsewhere must not make this page fetch
 * gigabytes: the model it names must be stored here or be on this host; and if the link sets another hub or bypasses
 * the cache, the stored files are not the ones that would be loaded.
 */
export function mayStart(source: string): boolean {
  const { cache: mode, download } = params.engine;
  return isOurs(source) || (mode === undefined && download?.hub === undefined && isKeptWhole(source));
}

/** Returns a model's files on this device: by address, by folder, or by the repository that they are from. */
export function filesOf(source: string): readonly cache.CachedFile[] {
  const id = hubIdOf(source);
  if (id === undefined) {
    const address = addressOf(source)?.href;
    if (address === undefined) return [];
    return installed.value.filter(({ url }) => url === address || (address.endsWith("/") && url.startsWith(address)));
  }
  const { repository, revision, quant = "", path = "" } = id;
  const hub = (params.engine.download?.hub ?? HUB).replace(/\/+$/, "");
  const base = `${hub}/${repository}/resolve/${encodeURIComponent(revision)}/`;
  // A file that is not a model represents its folder; for a split model all parts are wanted.
  const named = path.split("/").map(encodeURIComponent).join("/");
  const wanted = /\.(gguf|safetensors|bin)$/i.test(path) ? withoutPart(named) : named.replace(/[^/]*$/, "");
  return installed.value.filter(({ url }) => {
    const rest = url.startsWith(base) ? withoutPart(url.slice(base.length)) : undefined;
    return rest?.startsWith(wanted) === true && rest.toLowerCase().includes(quant.toLowerCase());
  });
}

const withoutPart = (path: string): string => path.replace(/-\d{5}-of-\d{5}\./, ".");
