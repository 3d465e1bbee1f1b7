/** Parser of the model names that people paste: ids of repositories, and addresses of the Hub's pages. */
import { HearthError } from "../core/errors.js";

export interface HubId {
  /** `owner/name`, or just `name` for very old repositories. */
  repository: string;
  quant?: string;
  revision: string;
  /** A file, or a folder with a trailing slash, if one was named. */
  path?: string;
}

/** Address on one of the Hub's hosts, with or without a scheme. */
const PAGE = /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\/+([^?#]*)(?:\?([^#]*))?/i;
/** Pages of the Hub that do not belong to a model. */
const OTHER = new Set(
  "datasets spaces docs blog collections papers organizations settings tasks learn posts chat join login new pricing models".split(
    " ",
  ),
);
/** Views of a repository: those of a folder, those of a file, and those with a revision but no path. */
const FOLDERS = new Set(["tree"]);
const FILES = new Set(["blob", "resolve", "raw", "blame", "edit", "delete"]);
const COMMITS = new Set(["commit", "commits"]);
const VIEWS = new Set([...FOLDERS, ...FILES, ...COMMITS, "discussions", "settings", "colab", "upload"]);

/** Parses an id or the address of a page; returns undefined for any other address. */
export function parseHubId(text: string): HubId | undefined {
  const plain = text.trim();
  const page = PAGE.exec(plain);
  if (page === null) return parseName(plain);
  const [, path = "", query = ""] = page;
  const parts = path.split("/").filter(Boolean).map(decoded);
  if (parts.length === 0 || OTHER.has(parts[0] ?? "")) {
    throw new HearthError("invalid_request", `${plain} is no page of a model`, {
      hint: "Open the model's page on the Hub and copy its address, or write owner/name.",
    });
  }
  if (parts[0] === "api") return undefined;
  // `gpt2` and a few others have no owner.
  const isOld = parts.length === 1 || VIEWS.has(parts[1] ?? "");
  const id = isOld ? { repository: parts[0] ?? "", revision: "main" } : parseName(parts.join("/"));
  const names = isOld ? 1 : 2;
  if (id !== undefined && !VIEWS.has(parts[names] ?? "")) return withShown(id, query);
  const repository = parts.slice(0, names).join("/");
  return withShown({ repository, ...ofView(parts.slice(names)) }, query);
}

function parseName(text: string): HubId | undefined {
  const match = /^([\w-][\w.-]*\/[\w-][\w.-]*?)(?::([\w.-]+))?(?:@([\w./-]+))?$/.exec(text);
  if (match === null) return undefined;
  const [, repository = "", quant, revision = "main"] = match;
  // `models/tiny.gguf` is a file on the page's own server.
  if (/\.(gguf|safetensors|json|bin)$/i.test(repository)) return undefined;
  // `latest` is Ollama's name for the default.
  return quant === undefined || quant === "latest" ? { repository, revision } : { repository, quant, revision };
}

/** Parses the rest of an address after the repository's name: view, revision and path. */
function ofView([view = "", ...rest]: string[]): Pick<HubId, "revision" | "path"> {
  if (!FOLDERS.has(view) && !FILES.has(view) && !COMMITS.has(view)) return { revision: "main" };
  const isRef = rest[0] === "refs" && rest.length > 2;
  const revision = (isRef ? rest.slice(0, 3).join("/") : rest[0]) ?? "main";
  const path = rest.slice(isRef ? 3 : 1).join("/");
  if (path === "" || COMMITS.has(view)) return { revision };
  return { revision, path: FOLDERS.has(view) && !/\.(gguf|safetensors)$/i.test(path) ? `${path}/` : path };
}

/** Adds the file shown in the Hub's viewer, which is named in the query. */
function withShown(id: HubId, query: string): HubId {
  const shown = new URLSearchParams(query).get("show_file_info");
  return shown === null || shown === "" ? id : { ...id, path: shown };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
