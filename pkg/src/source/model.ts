/**
 * Finds the files of a model: one GGUF file, all parts of a split one, or safetensors with their texts.
 *
 * Names that end in `-00001-of-0000N.gguf` represent all N parts. A folder (an address that ends in `/`), a
 * `.safetensors` file or its `.safetensors.index.json` represents the model in that folder. The projector of a GGUF model, by
 * which it sees, is found beside it in repositories and among files that are given together.
 */
import { HearthError, throwIfAborted } from "../core/errors.js";
import { roomOnMachine } from "../fit/memory.js";
import type { DownloadOptions, ProjectorSpec, SourceSpec } from "../core/protocol.js";
import type { WasmFiles } from "../core/wasm-contract.js";
import { withoutSecrets } from "./address.js";
import { blobSource } from "./blob.js";
import { HttpSource } from "./http.js";
import { resolveHubId, resolveHubProjector, type HubAccess } from "./hub.js";
import { modelsAmong, partOf, roleOf } from "./names.js";
import { portSource } from "./port.js";
import { bestProjector, nameIn, refuseProjector, type Projector } from "./projector.js";
import { readBytes, readText, unlessMissing } from "./read.js";
import type { ByteSource, RemoteFile } from "./source.js";

/** Texts that a folder may contain; the core reads them by these names. */
const TEXTS = [
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "generation_config.json",
  "chat_template.jinja",
  "1_Pooling/config.json",
  "modules.json",
];
/** Texts that only models with a tower for pictures have. */
const PICTURE_TEXTS = ["preprocessor_config.json", "processor_config.json"];
const NEEDED = new Set(["config.json", "tokenizer.json"]);

/** Files that a folder of safetensors may contain beside the weights, by their names. */
export interface FolderFiles {
  texts: readonly string[];
  binaries: readonly string[];
  needed: ReadonlySet<string>;
}

/** Files of models that the core runs. */
const OF_CORE: FolderFiles = { texts: TEXTS, binaries: [], needed: NEEDED };

/** A single file with its header at the beginning, read once. */
interface OneFile {
  kind: "one";
  open: () => ByteSource;
}

/**
 * Several files: all headers are read first, then all contents in this order. Each opens at its beginning as often as
 * needed.
 */
export interface SeveralFiles {
  kind: "several";
  texts: Map<string, string>;
  /** Files beside the weights that are no texts. */
  files: Map<string, Uint8Array<ArrayBuffer>>;
  weights: (() => ByteSource)[];
}

export type ModelFiles = (OneFile | SeveralFiles) & {
  /** Comes after the model's own files; a single one can then be opened as often as several. */
  projector?: Projector | undefined;
};

export type OpenUrl = (file: RemoteFile) => ByteSource;
/** Finds a file by address; returns undefined if it is known not to exist. */
type Find = (url: string, isOptional: boolean) => RemoteFile | undefined;

/**
 * Finds the files of a model. `mmproj`: its projector; false for none, undefined for one that lies beside it, if any. `folder`: files
 * to look for in a folder.
 */
export async function findModel(
  spec: SourceSpec,
  signal: AbortSignal,
  download: DownloadOptions,
  open: OpenUrl = ({ url }) => new HttpSource(url, signal, download),
  hub: HubAccess = hubAccess(signal, download),
  mmproj?: ProjectorSpec | false,
  folder = OF_CORE,
): Promise<ModelFiles> {
  const { projector: beside, ...model } = await findFiles(spec, signal, download, open, hub, folder);
  if (mmproj === false) return model;
  if (mmproj === undefined) return beside === undefined ? model : { ...model, projector: beside };
  if (spec.kind === "port") {
    throw new HearthError("invalid_request", "invalid request: mmproj must be absent for a model that is a stream", {
      hint: "Give the model as an address, File or Blob, which can be read again.",
    });
  }
  return { ...model, projector: await findProjector(mmproj, signal, open, hub) };
}

/** Finds a projector that the caller gave. */
async function findProjector(
  spec: ProjectorSpec,
  signal: AbortSignal,
  open: OpenUrl,
  hub: HubAccess,
): Promise<Projector> {
  switch (spec.kind) {
    case "blob": {
      const { name = "mmproj" } = spec.blob as Blob & { name?: string };
      return { name, open: () => blobSource(spec.blob, signal), isAsked: true };
    }
    case "url": {
      const { url } = spec;
      const file: RemoteFile = { url, key: withoutSecrets(url), isOptional: false };
      return { name: nameIn(new URL(url).pathname), open: () => open(file), isAsked: true };
    }
    case "hub": {
      const { url, file } = await resolveHubProjector(spec.id, spec.endpoint, hub);
      return toProjector(url, file(url), open, true);
    }
  }
}

function toProjector(url: string, file: RemoteFile | undefined, open: OpenUrl, isAsked: boolean): Projector {
  const found = file ?? { url, key: withoutSecrets(url), isOptional: false };
  return { name: decodeURIComponent(nameIn(new URL(url).pathname)), open: () => open(found), isAsked };
}

async function findFiles(
  spec: SourceSpec,
  signal: AbortSignal,
  download: DownloadOptions,
  open: OpenUrl,
  hub: HubAccess,
  folder: FolderFiles,
): Promise<ModelFiles> {
  switch (spec.kind) {
    case "port":
      return { kind: "one", open: () => portSource(spec.port, spec.total, signal) };
    case "blob":
      refuseProjector((spec.blob as Blob & { name?: string }).name ?? "");
      return { kind: "one", open: () => blobSource(spec.blob, signal) };
    case "files":
      return await ofFiles(spec.files, signal, folder);
    case "url":
      refuseProjector(decodeURIComponent(nameIn(new URL(spec.url).pathname)));
      return await ofUrl(
        spec.url,
        (url, isOptional) => ({ url, key: keyFor(url, spec.url, download), isOptional, sum: download.sha256 }),
        open,
        folder,
      );
    case "hub": {
      const { url, file, projector } = await resolveHubId(spec.id, spec.endpoint, hub, roomOnMachine()?.most);
      const find: Find = (url, isOptional) => {
        const found = file(url);
        if (found !== undefined || isOptional) return found;
        const name = decodeURIComponent(url.replace(/^.*\//, ""));
        throw new HearthError(
          "invalid_request",
          `the repository ${spec.id.repository} has no ${name} beside its weights`,
          {
            hint: "Look for a GGUF of the same model, which has all in one file.",
          },
        );
      };
      const model = await ofUrl(url, find, open, folder);
      if (projector === undefined) return model;
      return { ...model, projector: toProjector(projector, file(projector), open, false) };
    }
  }
}

/** Returns the address under which a file is kept; if there are several files, each is named below the caller's key. */
function keyFor(url: string, model: string, { cacheKey }: DownloadOptions): string {
  if (cacheKey === undefined) return withoutSecrets(url);
  const [file, { pathname }] = [new URL(url).pathname, new URL(model)];
  return file === pathname ? cacheKey : `${cacheKey}/${file.slice(pathname.lastIndexOf("/") + 1)}`;
}

/** Returns access to the hub without stored listings. */
export function hubAccess(signal: AbortSignal, download: DownloadOptions): HubAccess {
  return {
    signal,
    read: (url, limits) => readText(new HttpSource(url, signal, { ...download, ...limits })),
  };
}

async function ofFiles(files: File[], signal: AbortSignal, folder: FolderFiles): Promise<ModelFiles> {
  const byName = [...files].sort((a, b) => (a.name < b.name ? -1 : 1));
  const ends = (end: string): File[] => byName.filter((file) => file.name.toLowerCase().endsWith(end));
  const safetensors = modelsAmong(ends(".safetensors"), nameOf);
  const weights = safetensors.length > 0 ? safetensors : modelsAmong(ends(".gguf"), nameOf);
  const [first] = weights.length > 0 ? weights : byName.filter(({ name }) => roleOf(name) === "model");
  const projector = safetensors.length > 0 ? undefined : bestProjector(byName, nameOf);
  if (first === undefined) {
    if (projector !== undefined) refuseProjector(projector.name);
    const names = byName.map(nameOf).join(", ") || "none";
    throw new HearthError("invalid_request", `model: there is no model among the files that were given: ${names}`, {
      hint: "Give the GGUF file of the model itself, or a folder of safetensors with its texts.",
    });
  }
  if (safetensors.length === 0) requireOne(weights);
  const beside =
    projector === undefined
      ? {}
      : { projector: { name: projector.name, open: () => blobSource(projector, signal), isAsked: true } };
  if (weights.length < 2 && safetensors.length === 0) {
    return { kind: "one", open: () => blobSource(first, signal), ...beside };
  }
  const texts = new Map<string, string>();
  const binaries = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const file of byName) {
    const path = pathOf(file);
    if ([...folder.texts, ...PICTURE_TEXTS].includes(path)) texts.set(path, await readText(blobSource(file, signal)));
    if (folder.binaries.includes(file.name)) binaries.set(file.name, await readBytes(blobSource(file, signal)));
  }
  return {
    kind: "several",
    texts,
    files: binaries,
    weights: weights.map((file) => () => blobSource(file, signal)),
    ...beside,
  };
}

/** Returns a file's path in its folder: those of pooling and model have the same name. */
function pathOf({ name, webkitRelativePath }: Partial<File> & { name: string }): string {
  const path =
    webkitRelativePath === undefined || webkitRelativePath === "" ? name : webkitRelativePath.replace(/^[^/]+\//, "");
  // Some browsers put a colon in the place of a slash.
  return path.replace(":", "/");
}

/** Fails unless the GGUF files are all parts of one model. */
function requireOne(weights: readonly File[]): void {
  const parts = weights.map(({ name }) => partOf(name));
  const [first] = parts;
  const isSplit = first !== undefined && parts.every((part) => part?.start === first.start);
  if (!isSplit && weights.length > 1) {
    const names = weights.map(nameOf).join(", ");
    throw new HearthError("invalid_request", `model: there are several models among the files: ${names}`, {
      hint: "Give the files of one model only.",
    });
  }
  if (first === undefined || weights.length === first.count) return;
  const there = new Set(parts.map((part) => part?.index));
  const missing = Array.from({ length: first.count }, (_, i) => i + 1).filter((index) => !there.has(index));
  throw new HearthError(
    "invalid_request",
    `model: of ${String(first.count)} parts some are missing: ${missing.join(", ")}`,
    {
      hint: "Give all parts of the model together.",
    },
  );
}

function nameOf({ name }: File): string {
  return name;
}

async function ofUrl(link: string, find: Find, opened: OpenUrl, folder: FolderFiles): Promise<ModelFiles> {
  const open = (url: string): ByteSource => {
    const file = find(url, false);
    if (file === undefined) throw new HearthError("internal_error", `no file at ${url}`);
    return opened(file);
  };
  const url = new URL(link);
  const { pathname } = url;
  const split = /^(.*)-00001-of-(\d{5})\.gguf$/i.exec(pathname);
  if (split !== null) {
    const [, start = "", count = ""] = split;
    const part = (i: number): string => withPath(url, `${start}-${String(i + 1).padStart(5, "0")}-of-${count}.gguf`);
    const weights = Array.from({ length: Number(count) }, (_, i) => () => open(part(i)));
    return { kind: "several", texts: new Map(), files: new Map(), weights };
  }
  const isFolder = pathname.endsWith("/") || /\.safetensors(\.index\.json)?$/i.test(pathname);
  if (!isFolder) return { kind: "one", open: () => open(url.href) };
  const beside = (name: string): string => withPath(url, pathname.replace(/[^/]*$/, name));
  const readBy = async <T>(
    reader: (source: ByteSource) => Promise<T>,
    name: string,
    isOptional: boolean,
  ): Promise<T | undefined> => {
    const file = find(beside(name), isOptional);
    return file === undefined ? undefined : await unlessMissing(reader(opened(file)), isOptional);
  };
  const read = (name: string, isOptional: boolean): Promise<string | undefined> => readBy(readText, name, isOptional);
  const texts = new Map<string, string>();
  for (const name of folder.texts) {
    const text = await read(name, !folder.needed.has(name));
    if (text !== undefined) texts.set(name, text);
  }
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  for (const name of folder.binaries) {
    const bytes = await readBy(readBytes, name, !folder.needed.has(name));
    if (bytes !== undefined) files.set(name, bytes);
  }
  if (texts.get("config.json")?.includes('"vision_config"') === true) {
    for (const name of PICTURE_TEXTS) {
      const text = await read(name, true);
      if (text !== undefined) texts.set(name, text);
    }
  }
  const names = await shards(pathname, read);
  for (const folder of modules(texts.get("modules.json"))) {
    const name = `${folder}/config.json`;
    texts.set(name, (await read(name, false)) ?? "");
    if (folder !== LOGIT_SCORE) names.push(`${folder}/model.safetensors`);
  }
  return { kind: "several", texts, files, weights: names.map((name) => () => open(beside(name))) };
}

/** Folder of the module that makes a score of two tokens' logits, which has no weights. */
const LOGIT_SCORE = "1_LogitScore";

/**
 * Returns the folders of the projections that follow the pooling of an embedding model, in order, or of what makes a score of logits;
 * sentence-transformers lists them in modules.json. The core refuses those with other names.
 */
function modules(text: string | undefined): string[] {
  const folders = [LOGIT_SCORE, "2_Dense", "3_Dense"];
  try {
    const listed = JSON.parse(text ?? "[]") as { path?: unknown }[];
    const paths = listed.map(({ path }) => path);
    return folders.filter((folder) => paths.includes(folder));
  } catch {
    // The core says what is wrong with it.
    return [];
  }
}

/** Returns the names of the safetensors files, in order. */
async function shards(
  pathname: string,
  read: (name: string, optional: boolean) => Promise<string | undefined>,
): Promise<string[]> {
  const name = pathname.replace(/^.*\//, "");
  if (/\.safetensors$/i.test(name) && !/-\d{5}-of-\d{5}\./.test(name)) return [decodeURIComponent(name)];
  const isIndex = name.endsWith(".json");
  const index = await read(isIndex ? decodeURIComponent(name) : "model.safetensors.index.json", !isIndex);
  if (index === undefined) return ["model.safetensors"];
  const names = new Set<string>();
  try {
    const { weight_map } = JSON.parse(index) as { weight_map: Record<string, unknown> };
    for (const file of Object.values(weight_map)) {
      if (typeof file !== "string" || /[/\\]/.test(file)) throw new TypeError(`a file called ${String(file)}`);
      names.add(file);
    }
  } catch (cause) {
    throw new HearthError("bad_file", "the index of the safetensors files is damaged", { cause });
  }
  return [...names].sort();
}

/** Replaces the path and keeps the query, which may hold an access token. */
function withPath(url: URL, pathname: string): string {
  const other = new URL(url);
  other.pathname = pathname;
  return other.href;
}

/**
 * Passes the texts and the beginning of each file to the core until it has all headers; returns the total length of the
 * files.
 */
export async function readHeaders(
  { texts, weights }: Pick<SeveralFiles, "texts" | "weights">,
  files: Pick<WasmFiles, "text" | "header">,
  signal: AbortSignal,
): Promise<number> {
  for (const [name, text] of texts) files.text(name, text);
  let total = 0;
  for (const [index, open] of weights.entries()) {
    throwIfAborted(signal);
    const source = open();
    for await (const chunk of source.chunks()) {
      const length = source.total;
      if (length === undefined) {
        throw new HearthError("download_length", `the server does not tell the length of file ${String(index + 1)}`);
      }
      // Leaving the loop ends the download.
      if (files.header(index, chunk, length)) break;
    }
    total += source.total ?? 0;
  }
  return total;
}
