/** The model that a translator is created from, in a form that can be sent to its worker. */
import { platform } from "../core/platform.js";
import type { DownloadOptions, SourceSpec } from "../core/protocol.js";
import { absolute } from "../source/given.js";
import { parseHubId } from "../source/paste.js";
import type { TranslationModelSource } from "./translator.js";

export interface NamedSource {
  source: SourceSpec;
  /** Name of the model, as far as its place tells one. */
  name: string;
}

export async function toSource(model: TranslationModelSource, { hub }: DownloadOptions): Promise<NamedSource> {
  if (Array.isArray(model)) {
    const weights = model.find(({ name }) => /\.(safetensors|gguf)$/i.test(name));
    return { source: { kind: "files", files: model }, name: plain(weights?.name ?? "") };
  }
  if (typeof model === "object" && "getFile" in model) return await toSource(await model.getFile(), {});
  if (model instanceof Blob) {
    return { source: { kind: "blob", blob: model }, name: plain(model instanceof File ? model.name : "") };
  }
  const place = platform.locate?.(String(model)) ?? model;
  const id = parseHubId(String(place));
  if (id !== undefined) {
    const source: SourceSpec = { kind: "hub", id };
    if (hub !== undefined) source.endpoint = absolute(hub);
    return { source, name: plain(id.repository) };
  }
  const url = absolute(place);
  return { source: { kind: "url", url }, name: plain(decodeURIComponent(new URL(url).pathname)) };
}

/** Returns the name in a path: of its folder for a file that has the same name in each. */
function plain(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && !/^model\.safetensors(\.index\.json)?$/i.test(part));
  return parts.at(-1)?.replace(/\.(safetensors|gguf)$/i, "") ?? "translator";
}
