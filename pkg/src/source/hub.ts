/**
 * Hugging Face repositories by id: `owner/name`, `owner/name:Q4_K_M` for a quantisation, `owner/name@revision`; or by
 * an address from the browser, see `paste.ts`.
 *
 * A repository with GGUF files is loaded as GGUF: the file of the requested quantisation, or the most preferred one
 * that can be read and fits. Other repositories are loaded as safetensors.
 *
 * All files of a load come from one commit: the listing is fetched each time, and names the commit.
 */
import { HearthError, throwIfAborted, toHearthError } from "../core/errors.js";
import { isCommit, parseListing, reviveListing, type HubFile, type HubListing } from "./listing.js";
import { foreignFormat, modelsAmong, normalQuant, partOf, plainName, quantOf, rankOf, roleOf } from "./names.js";
import type { HubId } from "./paste.js";
import { bestProjector, isProjector, nameIn, projectorBeside } from "./projector.js";
import type { RemoteFile } from "./source.js";

const HUB = "https://huggingface.co";
/** Limits if a kept listing exists, so that an unresponsive hub does not delay the load. */
const QUICK = { retries: 1, stallTimeoutMs: 5000 };

/** Access to the hub and to stored listings. */
export interface HubAccess {
  read(url: string, limits?: { retries: number; stallTimeoutMs: number }): Promise<string>;
  /** Returns the listing of the files kept on this device. */
  kept?(key: string): Promise<string | undefined>;
  /** Stores a listing once the load has succeeded. */
  keep?(key: string, listing: string): void;
  signal?: AbortSignal;
}

export interface HubModel {
  /** Address of the model's file or folder. */
  url: string;
  /** Maps an address in the repository to a file; undefined if there is no such file. */
  file: (url: string) => RemoteFile | undefined;
  /** Address of the projector beside a GGUF model; undefined if there is none. */
  projector?: string | undefined;
}

/** Finds the address of a repository's model. `room`: bytes available for it, as far as known. */
export async function resolveHubId(
  id: HubId,
  endpoint: string | undefined,
  hub: HubAccess,
  room = Infinity,
): Promise<HubModel> {
  const { files, words, resolved, file } = await repositoryOf(id, endpoint, hub);
  const path = choose(id, files, words, room);
  const isGguf = /\.gguf$/i.test(path);
  const paths = files.map((file) => file.path);
  const projector = isGguf ? projectorBeside(path, paths) : undefined;
  return { url: resolved(path), file, projector: projector === undefined ? undefined : resolved(projector) };
}

/** Finds the address of a repository's projector: the one that is named, or the preferred one of a storage type or of all. */
export async function resolveHubProjector(id: HubId, endpoint: string | undefined, hub: HubAccess): Promise<HubModel> {
  const { repository, quant, path = "" } = id;
  const { files, resolved, file } = await repositoryOf(id, endpoint, hub);
  if (path !== "" && !path.endsWith("/")) {
    if (files.some((known) => known.path === path)) return { url: resolved(path), file };
    const known = files.map((known) => known.path).filter(isProjector);
    throw refuse(
      `the repository ${repository} has no file ${path}`,
      `Its projectors (mmproj): ${known.join(", ") || "none"}.`,
    );
  }
  const within = files.filter((known) => known.path.startsWith(path));
  const wanted = quant === undefined ? within : within.filter((known) => quantOf(known.path) === normalQuant(quant));
  const best = bestProjector(wanted, (known) => known.path);
  if (best !== undefined) return { url: resolved(best.path), file };
  const what = quant === undefined ? "projector (mmproj)" : `projector (mmproj) of type ${quant}`;
  throw refuse(`the repository ${repository} has no ${what}`, "Name another repository or file as mmproj.");
}

/** Finds the address of a file in a repository. */
export async function resolveHubFile(
  id: HubId,
  endpoint: string | undefined,
  hub: HubAccess,
): Promise<{ url: string; file: RemoteFile }> {
  const { repository, path = "" } = id;
  const { resolved, file } = await repositoryOf(id, endpoint, hub);
  const url = resolved(path);
  const found = file(url);
  if (found !== undefined) return { url, file: found };
  throw refuse(
    `the repository ${repository} has no file ${path}`,
    "Name another repository, or the address of a file.",
  );
}

interface Repository extends HubListing {
  /** Returns the address of a path. */
  resolved: (path: string) => string;
  file: (url: string) => RemoteFile | undefined;
}

async function repositoryOf(id: HubId, endpoint: string | undefined, hub: HubAccess): Promise<Repository> {
  const base = (endpoint ?? HUB).replace(/\/+$/, "");
  const listing = await listingOf(id, base, hub);
  const { files, commit } = listing;
  const at = (revision: string): string => `${base}/${id.repository}/resolve/${encodeURIComponent(revision)}/`;
  const resolved = (path: string): string => at(id.revision) + path.split("/").map(encodeURIComponent).join("/");
  const known = new Map<string, RemoteFile>();
  for (const { path, size, sum, version } of files) {
    const key = resolved(path);
    const url = commit === undefined ? key : at(commit) + key.slice(at(id.revision).length);
    known.set(key, { url, key, isOptional: false, size, sum, version });
  }
  return { ...listing, resolved, file: (url) => known.get(url) };
}

/** Returns the listing of the newest commit or, without the network, of the commit loaded last. */
async function listingOf(id: HubId, base: string, hub: HubAccess): Promise<HubListing> {
  const { repository, revision, path, quant } = id;
  const api = `${base}/api/models/${repository}`;
  const name = encodeURIComponent(revision);
  const key = `${api}/revision/${name}?for=${encodeURIComponent(path ?? quant ?? "")}`;
  const kept = reviveListing(await hub.kept?.(key));
  if (kept !== undefined && isCommit(revision)) return kept;
  const limits = kept === undefined ? undefined : QUICK;
  try {
    const listing = await ask(hub, limits, `${api}/revision/${name}?blobs=true`, `${api}/tree/${name}?recursive=true`);
    hub.keep?.(key, JSON.stringify(listing));
    return listing;
  } catch (error) {
    throwIfAborted(hub.signal);
    if (kept !== undefined) return kept;
    const { code, status, message } = toHearthError(error);
    if (code !== "download_http" || status === undefined || status >= 500 || status === 429) throw error;
    throw new HearthError(code, `the hub shows no repository ${repository} at ${revision}: ${message}`, {
      status,
      hint: "Check owner, name and revision. A private or gated one needs a token: name it in download.headers.",
    });
  }
}

/** Asks for a listing. Hubs of other vendors may only have the older of the two forms. */
async function ask(
  hub: HubAccess,
  limits: typeof QUICK | undefined,
  first: string,
  second: string,
): Promise<HubListing> {
  try {
    const listing = parseListing(await hub.read(first, limits));
    if (listing !== undefined) return listing;
  } catch (error) {
    if (![400, 404, 405, 501].includes(toHearthError(error).status ?? 0)) throw error;
  }
  const listing = parseListing(await hub.read(second, limits));
  if (listing === undefined) throw new HearthError("bad_file", "the hub's list of files is not one");
  return listing;
}

/**
 * Chooses the model's path among the files: that of a file, or of a folder with a trailing slash ("" for the
 * repository's root).
 */
function choose(id: HubId, files: readonly HubFile[], words: readonly string[], room: number): string {
  const { repository, quant, path = "" } = id;
  if (path !== "" && !path.endsWith("/")) {
    const named = chooseNamed(id, path, files);
    if (named !== undefined) return named;
  }
  const folder = path.replace(/[^/]*$/, "");
  const paths = files.map((file) => file.path).filter((path) => path.startsWith(folder));
  const ggufs = variantsIn(files.filter((file) => file.path.startsWith(folder)));
  const found = quant === undefined ? preferred(ggufs, room) : asked(ggufs, quant);
  if (found !== undefined) return found.path;
  const search = `https://huggingface.co/models?library=gguf&search=${encodeURIComponent(plainName(repository))}`;
  const hint = `Look for a GGUF of the same model, such as ${plainName(repository)}-GGUF: ${search}`;
  if (ggufs.length > 0) {
    const names = quantsOf(ggufs);
    if (quant === undefined) {
      const message = `the repository ${repository} has only ${names}, and Hearth reads none of these`;
      throw new HearthError("unsupported_quant", message, { hint });
    }
    throw refuse(`the repository ${repository} has no ${quant} file`, `It has ${names}.`);
  }
  const foreign = foreignFormat(paths, [...words, ...repository.split(/[/_.-]/)]);
  if (foreign !== undefined) {
    const message = `the repository ${repository} is made for another program: its weights are ${foreign}, and Hearth reads GGUF and safetensors`;
    throw refuse(message, hint);
  }
  if (quant === undefined && paths.some((path) => /\.safetensors$/i.test(path))) return folder;
  const beside = paths.filter((path) => /\.gguf$/i.test(path));
  const what = quant ?? "GGUF or safetensors";
  const seen = beside.length > 0 ? `It has only what stands beside a model: ${beside.slice(0, 5).join(", ")}. ` : "";
  throw refuse(
    `the repository ${repository} has no ${what} file`,
    seen + (quant === undefined ? hint : "It has no GGUF files."),
  );
}

/** Returns a file requested by name; undefined if it represents the whole repository, such as config.json. */
function chooseNamed({ repository, revision }: HubId, path: string, files: readonly HubFile[]): string | undefined {
  const part = partOf(path);
  const first = part === undefined ? path : path.replace(/-\d{5}-of-/, "-00001-of-");
  const name = nameIn(path);
  const role = roleOf(path);
  if (role === "projector" || role === "importance") {
    const what = role === "projector" ? "the part of a model that sees or hears" : "what a quantiser measured";
    throw refuse(`${name} is ${what}, and no model`, `Load the repository: ${repository}.`);
  }
  if (!files.some((file) => file.path === first)) {
    const hint = `It has ${quantsOf(variantsIn(files)) || "no GGUF files"}.`;
    throw refuse(`the repository ${repository} has no file ${path} at ${revision}`, hint);
  }
  return /\.(gguf|safetensors|safetensors\.index\.json)$/i.test(path) ? first : undefined;
}

/** A GGUF model with all its parts. */
interface Variant {
  path: string;
  quant: string | undefined;
  size: number;
}

function variantsIn(files: readonly HubFile[]): Variant[] {
  const variants = new Map<string, Variant>();
  for (const { path, size = 0 } of modelsAmong(
    files.filter(({ path }) => /\.gguf$/i.test(path)),
    ({ path }) => path,
  )) {
    const part = partOf(path);
    const key = part?.start ?? path;
    const known = variants.get(key);
    if (known !== undefined) known.size += size;
    else variants.set(key, { path: part === undefined ? path : firstPart(path), quant: quantOf(path), size });
  }
  return [...variants.values()].sort((a, b) => a.path.length - b.path.length || (a.path < b.path ? -1 : 1));
}

function firstPart(path: string): string {
  return path.replace(/-\d{5}-of-(\d{5}\.\w+)$/, "-00001-of-$1");
}

/** Returns the best readable variant that fits, or the smallest if none fits. */
function preferred(variants: readonly Variant[], room: number): Variant | undefined {
  const readable = variants.flatMap((variant) => {
    const rank = rankOf(variant.quant);
    return rank === undefined ? [] : [{ variant, rank }];
  });
  const fitting = readable.filter(({ variant }) => variant.size <= room);
  if (fitting.length > 0) return fitting.sort((a, b) => a.rank - b.rank)[0]?.variant;
  return readable.sort((a, b) => a.variant.size - b.variant.size)[0]?.variant;
}

function asked(variants: readonly Variant[], name: string): Variant | undefined {
  const quant = normalQuant(name);
  const end = new RegExp(`(^|[^A-Z0-9])${name.replace(/\W/g, "\\$&")}(-\\d{5}-of-\\d{5})?\\.gguf$`, "i");
  return (
    variants.find((variant) => variant.quant === quant) ??
    variants.find((variant) => variant.quant === `UD-${quant}`) ??
    variants.find(({ path }) => end.test(path))
  );
}

function quantsOf(variants: readonly Variant[]): string {
  const names = variants.flatMap(({ quant }) => quant ?? []);
  return [...new Set(names)].sort().join(", ") || variants.map(({ path }) => path).join(", ");
}

function refuse(message: string, hint: string): HearthError {
  return new HearthError("invalid_request", message, { hint });
}
