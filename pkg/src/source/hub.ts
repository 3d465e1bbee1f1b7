/**
 * Repositories of Hugging Face by their ids: `owner/name`, `owner/name:Q4_K_M` for a quantisation, `owner/name@revision`.
 *
 * A repository that has GGUF files is taken as GGUF: the file of the quantisation that was asked for, or of the first of
 * [`PREFERRED`] that is there. Others are taken as safetensors.
 *
 * Source: Hugging Face's Hub API, `GET /api/models/{id}/tree/{revision}`.
 */
import { HearthError } from "../errors.js";

const HUB = "https://huggingface.co";
/** From what most people want on: small enough to run, large enough to be good. */
const PREFERRED = [
  "Q4_K_M",
  "Q4_K_S",
  "Q4_0",
  "Q4_1",
  "Q5_K_M",
  "IQ4_XS",
  "Q5_K_S",
  "Q8_0",
  "Q6_K",
  "Q3_K_M",
  "F16",
  "BF16",
];

export interface HubId {
  /** `owner/name` */
  repository: string;
  quant?: string;
  revision: string;
}

/** The parts of an id; undefined for what is an address. */
export function parseHubId(text: string): HubId | undefined {
  const match = /^([\w-][\w.-]*\/[\w-][\w.-]*?)(?::([\w.-]+))?(?:@([\w./-]+))?$/.exec(text);
  if (match === null) return undefined;
  const [, repository = "", quant, revision = "main"] = match;
  // `models/tiny.gguf` is a file beside the page.
  if (/\.(gguf|safetensors|json|bin)$/i.test(repository)) return undefined;
  return quant === undefined ? { repository, revision } : { repository, quant, revision };
}

export interface HubModel {
  url: string;
  /** From a file's address to its SHA-256, of those that the hub tells. */
  sums: Map<string, string>;
}

/** The address of a repository's model. */
export async function resolveHubId(
  id: HubId,
  endpoint: string | undefined,
  read: (url: string) => Promise<string>,
): Promise<HubModel> {
  const base = (endpoint ?? HUB).replace(/\/+$/, "");
  const { repository, revision } = id;
  const files = await filesOf(
    `${base}/api/models/${repository}/tree/${encodeURIComponent(revision)}?recursive=true`,
    read,
  );
  const resolved = (path: string): string =>
    `${base}/${repository}/resolve/${encodeURIComponent(revision)}/${path.split("/").map(encodeURIComponent).join("/")}`;
  const paths = files.map(({ path }) => path);
  const sums = new Map(files.flatMap(({ path, sum }) => (sum === undefined ? [] : [[resolved(path), sum]])));
  const gguf = chooseGguf(paths, id);
  if (gguf !== undefined) return { url: resolved(gguf), sums };
  if (id.quant === undefined && paths.some((path) => /\.safetensors$/i.test(path))) {
    return { url: resolved(""), sums };
  }
  throw new HearthError(
    "invalid_request",
    `the repository ${repository} has no ${id.quant ?? "GGUF or safetensors"} file`,
    {
      hint:
        id.quant === undefined
          ? "Choose a repository of GGUF or safetensors files."
          : `It has ${quantsOf(paths).join(", ") || "no GGUF files"}.`,
    },
  );
}

interface HubFile {
  path: string;
  /** SHA-256 of what is kept apart from the repository, as all large files are. */
  sum?: string;
}

async function filesOf(url: string, read: (url: string) => Promise<string>): Promise<HubFile[]> {
  const entries: unknown = JSON.parse(await read(url));
  if (!Array.isArray(entries)) throw new HearthError("bad_file", "the hub's list of files is not a list");
  return entries.flatMap((entry: { type?: unknown; path?: unknown; lfs?: { oid?: unknown } | null } | null) => {
    if (entry?.type !== "file" || typeof entry.path !== "string") return [];
    const oid = entry.lfs?.oid;
    return isSum(oid) ? [{ path: entry.path, sum: oid.toLowerCase() }] : [{ path: entry.path }];
  });
}

/** A SHA-256 in hexadecimal digits. */
export function isSum(text: unknown): text is string {
  return typeof text === "string" && /^[0-9a-f]{64}$/i.test(text);
}

/** Files of models, without projections for images and all parts but the first. */
function ggufFiles(paths: string[]): string[] {
  const isModel = (path: string): boolean =>
    /\.gguf$/i.test(path) && !/mmproj|imatrix/i.test(path) && !/-(?!00001)\d{5}-of-\d{5}\.gguf$/i.test(path);
  return paths.filter(isModel).sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
}

function quantsOf(paths: string[]): string[] {
  const named = ggufFiles(paths).map(
    (path) => /((?:I?Q\d|BF16|F16|F32|MXFP4)[\w]*)(?:-\d{5}-of-\d{5})?\.gguf$/i.exec(path)?.[1],
  );
  return [...new Set(named.filter((name) => name !== undefined).map((name) => name.toUpperCase()))].sort();
}

function chooseGguf(paths: string[], { quant }: HubId): string | undefined {
  const files = ggufFiles(paths);
  const withQuant = (name: string): string | undefined =>
    files.find((path) =>
      new RegExp(`(^|[^A-Z0-9])${name.replace(/\W/g, "\\$&")}(-\\d{5}-of-\\d{5})?\\.gguf$`, "i").test(path),
    );
  if (quant !== undefined) return withQuant(quant);
  for (const name of PREFERRED) {
    const found = withQuant(name);
    if (found !== undefined) return found;
  }
  return files[0];
}
