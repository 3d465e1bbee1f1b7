/** Parts of Node, Deno and Bun in the place of a browser's parts. Importing this module sets them, in this thread alone. */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { homedir, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { platform } from "../core/platform.js";
import { parseHubId } from "../source/paste.js";
import { fileSource, Folder } from "./files.js";
import { FileLocks } from "./locks.js";
import { hasEnded, isNode, ThreadWorker } from "./thread-worker.js";

/** Returns the folder in which models are kept: below XDG_CACHE_HOME, ~/.cache or, on Windows, LOCALAPPDATA. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env, system: string = process.platform): string {
  const { XDG_CACHE_HOME: xdg = "", LOCALAPPDATA: local = "" } = env;
  const base = xdg !== "" ? xdg : system === "win32" && local !== "" ? local : join(homedir(), ".cache");
  return join(base, "hearth-llm");
}

/** Returns the address of a model that is named by its path; undefined for any other name. */
export function locate(model: string): string | undefined {
  if (model.trim() === "") return undefined;
  // (a single letter is a drive of Windows)
  if (/^[a-z][a-z\d+.-]+:\/\//i.test(model) || /^(file|data|blob):/i.test(model)) return undefined;
  const path = resolve(model);
  if (existsSync(path)) {
    const { href } = pathToFileURL(path);
    return statSync(path).isDirectory() && !href.endsWith("/") ? `${href}/` : href;
  }
  // A missing file is named as a path unless the Hub could have it.
  if (!/^(\.{0,2}[/\\]|[a-z]:[/\\])/i.test(model) && parseHubId(model) !== undefined) return undefined;
  return pathToFileURL(path).href + (/[/\\]$/.test(model) ? "/" : "");
}

const folder = cacheFolder();

Object.assign(platform, {
  device: "auto",
  noGpu: {
    missing: "neither this runtime nor the optional package webgpu offers it",
    hint: 'Install the package webgpu beside hearth-llm, and a driver of the GPU, or ask for the CPU with device: "cpu".',
  },
  deviceMemory: Math.max(1, Math.floor(totalmem() / 2 ** 30)),
  locks: new FileLocks(join(folder, "locks"), hasEnded),
  storage: {
    getDirectory: () => {
      mkdirSync(folder, { recursive: true });
      return Promise.resolve(new Folder(folder));
    },
    estimate: async () => {
      mkdirSync(folder, { recursive: true });
      const { bavail, bsize } = await statfs(folder);
      return { quota: bavail * bsize, usage: 0 };
    },
    persist: () => Promise.resolve(true),
  },
  // In Node, a global Worker is somebody's choice: a test's double, or a polyfill.
  startWorker: (url: string | URL, name: string) => {
    if (isNode() && "Worker" in globalThis) return undefined;
    return new ThreadWorker(url, name);
  },
  locate,
  openFile: fileSource,
});
