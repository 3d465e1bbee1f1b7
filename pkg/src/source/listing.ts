/**
 * The hub's listing of a repository's files, in either of its two forms.
 *
 * Source: Hugging Face's Hub API, `GET /api/models/{id}/revision/{revision}?blobs=true` (with the commit and the
 * repository's tags), `GET /api/models/{id}/tree/{revision}?recursive=true` (only the files).
 */
export interface HubFile {
  path: string;
  size?: number;
  /** SHA-256 of a file stored outside git (LFS), as all large files are. */
  sum?: string;
  /** Identifier of the file's bytes, also used as its ETag: the SHA-256, or git's hash. */
  version?: string;
}

export interface HubListing {
  files: HubFile[];
  /** Commit to which the revision currently points. */
  commit?: string;
  /** Tags, and the quantisation method of the weights. */
  words: string[];
}

type Json = Record<string, unknown> | null | undefined;

/** Parses a listing; returns undefined for anything else. */
export function parseListing(text: string): HubListing | undefined {
  const answer = JSON.parse(text) as Json | unknown[];
  if (Array.isArray(answer)) {
    const files = answer.filter((entry) => (entry as Json)?.type === "file");
    return { files: files.flatMap((entry) => toFile(entry as Json)), words: [] };
  }
  const { siblings, sha, tags, library_name: library, config } = answer ?? {};
  if (!Array.isArray(siblings)) return undefined;
  const method = ((config as Json)?.quantization_config as Json)?.quant_method;
  const words = [...(Array.isArray(tags) ? (tags as unknown[]) : []), library, method];
  const listing: HubListing = {
    files: siblings.flatMap((entry) => toFile(entry as Json)),
    words: words.filter((word) => typeof word === "string"),
  };
  if (typeof sha === "string" && isCommit(sha)) listing.commit = sha;
  return listing;
}

/** Parses a listing stored as JSON. */
export function reviveListing(text: string | undefined): HubListing | undefined {
  try {
    const listing = JSON.parse(text ?? "null") as Partial<HubListing> | null;
    return Array.isArray(listing?.files) && Array.isArray(listing.words) ? (listing as HubListing) : undefined;
  } catch {
    return undefined;
  }
}

function toFile(entry: Json): HubFile[] {
  const path = entry?.path ?? entry?.rfilename;
  if (typeof path !== "string") return [];
  const file: HubFile = { path };
  if (typeof entry?.size === "number") file.size = entry.size;
  const lfs = entry?.lfs as Json;
  const [sum, blob] = [lfs?.sha256 ?? lfs?.oid, entry?.blobId ?? entry?.oid];
  if (isSum(sum)) file.sum = file.version = sum.toLowerCase();
  else if (typeof blob === "string") file.version = blob;
  return [file];
}

/** Reports whether a text is a SHA-256 in hexadecimal digits. */
export function isSum(text: unknown): text is string {
  return typeof text === "string" && /^[0-9a-f]{64}$/i.test(text);
}

/** Reports whether a revision is a commit, which never changes. */
export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
