/** The name under which tabs find those that want the very same model. */
import { digestOf } from "../core/digest.js";
import { given } from "../core/given.js";
import type { EngineOptions, ModelSource } from "../engine.js";
import { baseAddress } from "../source/given.js";
import { parseHubId } from "../source/paste.js";

/** Version of the package, as package.json has it: pages of two versions never talk to each other. */
export const VERSION = "0.1.0";

/** Returns the name; undefined for a model that only this page has, and in pages without a secure context. */
export async function nameOf(options: EngineOptions): Promise<string | undefined> {
  const model = await sourceOf(options.model);
  if (model === undefined || (globalThis as { crypto?: Partial<Crypto> }).crypto?.subtle === undefined) return undefined;
  const { mmproj } = options;
  const projector = mmproj === undefined || mmproj === false ? mmproj : await sourceOf(mmproj);
  // A Blob without a name is one that only this page has.
  if (mmproj !== undefined && projector === undefined) return undefined;
  const { sha256, cacheKey, hub } = options.download ?? {};
  const wanted = {
    model,
    ...(projector === undefined ? {} : { mmproj: projector }),
    device: options.device ?? "webgpu",
    ...given(options, "deviceOptions", "contextSize", "kvType", "drafts", "quantize", "overrides", "threads", "contextStore", "conversations"),
    download: { sha256, cacheKey, hub },
  };
  const text = JSON.stringify([VERSION, wanted], sorted);
  return `hearth-shared:${await digestOf(new TextEncoder().encode(text))}`;
}

/** Returns what tells a model from others: an address, a repository, or names, lengths and times of files. */
async function sourceOf(model: ModelSource): Promise<unknown> {
  if (Array.isArray(model)) return model.map(fileOf).sort();
  if (model instanceof ReadableStream) return undefined;
  // Bytes without a name cannot be told from others of their length.
  if (model instanceof Blob) return model instanceof File ? fileOf(model) : undefined;
  if (typeof model === "object" && "getFile" in model) return fileOf(await model.getFile());
  const id = parseHubId(String(model));
  if (id !== undefined) return id;
  const base = baseAddress();
  return URL.canParse(String(model), base) ? new URL(model, base).href : String(model);
}

function fileOf({ name, size, lastModified }: File): string {
  return JSON.stringify([name, size, lastModified]);
}

/** Replaces an object by one whose keys are in order: options mean the same in any. */
function sorted(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
