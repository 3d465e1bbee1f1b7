/** The environment that the runner passes to the specs. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");

export const BASE_URL = process.env.HEARTH_URL ?? "http://localhost:8080/";
/** Address of the same server with the headers that make a page cross-origin isolated. */
export const ISOLATED_URL = process.env.HEARTH_ISOLATED_URL;
export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
/** Whether the page runs on the fake core, where specs that depend on a real model cannot run. */
export const IS_FAKE = process.env.HEARTH_FAKE !== undefined;
/** Whether the default model is at its usual address. */
export const HAS_SMOLLM2 = process.env.HEARTH_SMOLLM2 !== undefined;

/** Python that has llama.cpp's server (`tests/peers/README.md`); undefined if there is none. */
export const LLAMA_PYTHON = process.env.HEARTH_XLLAMACPP;

/** Returns the default model's path on this machine. */
export const smollm2File = (): string => process.env.HEARTH_SMOLLM2 ?? "";

/** Addresses on the server, as the page writes them. */
export const SMOLLM2 = "/models/smollm2-135m-instruct-q4_1.gguf";
export const GEMMA270 = "/models/gemma-3-270m-q4_k_m.gguf";
export const TINY = "/tests/goldens/data/tiny/tiny_llama.gguf";

/** The real model if available, otherwise the tiny one. */
export const REAL_OR_TINY = HAS_SMOLLM2 ? SMOLLM2 : TINY;

const data = join(root, "tests/goldens/data");

export function goldenFile(name: string): string {
  return join(data, name);
}

export function readGolden(name: string): unknown {
  const file = goldenFile(name);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as unknown) : undefined;
}

/** Returns the path for a picture that people will look at. */
export function screenshotFile(name: string): string {
  return join(root, "node_modules/.cache/hearth-e2e-screenshots", `${name}.png`);
}
