/** What a model would take, before anything of it but its header is fetched. */
import { signal } from "@preact/signals";
import { canRun, type Fit } from "hearth";
import * as cache from "hearth/cache";
import { addressOf, HUB, hubIdOf, isOnHub, isOurs } from "../models/address.js";
import { DEFAULT_MODEL, entryOf } from "../models/catalog.js";
import { params } from "../params.js";
import { settings } from "./settings.js";
import type { Choice, Source } from "./model.js";

export type PlanState =
  | { name: "none" }
  | { name: "reading"; source: Source }
  | { name: "known"; source: Source; fit: Fit; kept: number }
  | { name: "failed"; source: Source; error: unknown };

export const plan = signal<PlanState>({ name: "none" });
/** Files that are on this device. */
export const installed = signal<readonly cache.CachedFile[]>([]);

/** Of a card's memory, what is left beside the screen and other programs. */
const SHARE = 0.9;

let controller: AbortController | undefined;
/** Bytes a second that the GPU reads, once that was measured. */
let bandwidth: number | undefined;

type Wishes = Pick<Choice["options"], "contextSize" | "kvType">;

/** What the visitor wants to be other than the engine's default, for the model that is looked at. */
export const wishes = signal<Wishes>({});

/** Looks at the same model again, with another wish. */
export function wish<K extends keyof Wishes>(name: K, value: Wishes[K] | undefined): void {
  const { contextSize, kvType }: Partial<Record<keyof Wishes, unknown>> = { ...wishes.value, [name]: value };
  const wanted = Object.fromEntries(
    Object.entries({ contextSize, kvType }).filter(([, wish]) => wish !== undefined),
  ) as Wishes;
  lookAgain(wanted);
}

/** Works out what is looked at once more: something that it rests on has changed. */
export function lookAgain(wanted = wishes.value): void {
  if (plan.value.name !== "none") void look(plan.value.source, wanted);
}

/** Reads the header of a model and works out what it needs. */
export async function look(source: Source, wanted: Wishes = {}): Promise<Fit | undefined> {
  controller?.abort();
  const current = new AbortController();
  controller = current;
  wishes.value = wanted;
  // While only a wish is worked out, what is known stays in sight.
  if (plan.value.name !== "known" || plan.value.source !== source) plan.value = { name: "reading", source };
  try {
    const { contextSize, kvType, device } = { ...params.engine, ...wanted };
    const memory = params.memory ?? settings.value.memory * 2 ** 30 * SHARE;
    const download = downloadOptions(source);
    const [fit] = await Promise.all([
      canRun({
        model: source,
        signal: current.signal,
        ...(contextSize === undefined ? {} : { contextSize }),
        // What the engine takes by default depends on the device.
        ...(kvType !== undefined ? { kvType } : device === "cpu" ? { kvType: "f32" as const } : {}),
        download,
        // On the CPU it is something else that bounds the speed.
        ...(device === "cpu" ? { probe: false } : bandwidth === undefined ? {} : { bandwidth }),
        ...(memory > 0 ? { memory } : {}),
      }),
      refreshInstalled(),
    ]);
    const { tokens_per_second: speed, report } = fit;
    if (speed !== null) bandwidth = speed * (report.budget?.token.bytes ?? 0) || undefined;
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

/** The model as it is wished for, or with what makes it fit. */
export function choiceOf(source: Source, fit?: Fit): Choice {
  const { device } = params.engine;
  const wanted = fit === undefined ? {} : wishes.value;
  return { source, options: { ...(device === undefined ? {} : { device }), ...wanted, ...(fit?.changes ?? {}) } };
}

/** The model that ran last, as it ran. */
export function lastChoice(): Choice {
  const { model, modelOptions } = settings.value;
  const choice = choiceOf(model || DEFAULT_MODEL);
  return model === "" ? choice : { ...choice, options: { ...modelOptions, ...choice.options } };
}

/** The address's, and for Hugging Face the visitor's token. */
export function downloadOptions(source: Source): NonNullable<typeof params.engine.download> {
  const options = params.engine.download ?? {};
  const { hubToken } = settings.value;
  const mayKnow = typeof source === "string" && isOnHub(source);
  // Another hub is not to see it.
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

/** Deletes a file; false where it is read or fetched at this moment, here or in another tab. */
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

/** Bytes that must be fetched before a model can run, about; undefined where its list would have to be asked first. */
export function missingBytes(source: Source): number | undefined {
  if (typeof source !== "string" || isKeptWhole(source)) return 0;
  const bytes = entryOf(source)?.bytes;
  return bytes === undefined ? undefined : Math.max(0, bytes - keptBytes(source));
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

/**
 * Whether a model may be loaded without a word of the visitor. A link from elsewhere may not make this page fetch gigabytes: what
 * it names must be here, or this host's own; and with another hub, or past the cache, what is here is not what would be loaded.
 */
export function mayStart(source: string): boolean {
  const { cache: mode, download } = params.engine;
  return isOurs(source) || (mode === undefined && download?.hub === undefined && isKeptWhole(source));
}

/** Its files on this device: by their address, those of a folder, or by the repository that they are from. */
function filesOf(source: string): readonly cache.CachedFile[] {
  const id = hubIdOf(source);
  if (id === undefined) {
    const address = addressOf(source)?.href;
    if (address === undefined) return [];
    return installed.value.filter(({ url }) => url === address || (address.endsWith("/") && url.startsWith(address)));
  }
  const { repository, revision, quant = "", path = "" } = id;
  const hub = (params.engine.download?.hub ?? HUB).replace(/\/+$/, "");
  const base = `${hub}/${repository}/resolve/${encodeURIComponent(revision)}/`;
  // A file that is no model itself stands for the folder that it is in; of one in parts all are wanted.
  const named = path.split("/").map(encodeURIComponent).join("/");
  const wanted = /\.(gguf|safetensors)$/i.test(path) ? withoutPart(named) : named.replace(/[^/]*$/, "");
  return installed.value.filter(({ url }) => {
    const rest = url.startsWith(base) ? withoutPart(url.slice(base.length)) : undefined;
    return rest?.startsWith(wanted) === true && rest.toLowerCase().includes(quant.toLowerCase());
  });
}

const withoutPart = (path: string): string => path.replace(/-\d{5}-of-\d{5}\./, ".");
