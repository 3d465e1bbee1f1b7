/**
 * The parts of the page that are kept only once they were asked for: readers of PDF and Word, which are larger than the
 * page, the tables by which pdf.js reads Chinese, Japanese and Korean, what recognises speech, and what prepares pictures.
 */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";
import { CMAPS } from "../src/lib/cmaps.js";

/** Folder of these parts, which `src/lib/cmaps.ts` names too. */
export const ON_DEMAND = "assets/on-demand/";

const READERS = /node_modules\/(pdfjs-dist|mammoth)\//;
/** The worker that recognises speech, and its module; and the module that prepares pictures. */
const MEDIA = /^(audio(-worker|_bg\.wasm)|pictures_bg\.wasm)$/;

/** Names the chunk of a reader so that it lies in the folder. */
export function chunkFileNames({ moduleIds }: { moduleIds: readonly string[] }): string {
  return `${moduleIds.some((id) => READERS.test(id)) ? ON_DEMAND : "assets/"}[name]-[hash].js`;
}

/** Names the script of a worker so that that of speech lies in the folder. */
export function entryFileNames({ name }: { name: string }): string {
  return `${MEDIA.test(name) ? ON_DEMAND : "assets/"}[name]-[hash].js`;
}

/** Names any other file so that the modules of speech and pictures lie in the folder. */
export function assetFileNames({ names }: { names: readonly string[] }): string {
  return `${names.some((name) => MEDIA.test(name)) ? ON_DEMAND : "assets/"}[name]-[hash][extname]`;
}

/** Copies pdf.js's tables, with their licence, into the build. */
export function cmaps(): Plugin {
  return {
    name: "cmaps",
    apply: "build",
    generateBundle() {
      const folder = join(dirname(createRequire(import.meta.url).resolve("pdfjs-dist/package.json")), "cmaps");
      for (const name of readdirSync(folder)) {
        this.emitFile({
          type: "asset",
          fileName: CMAPS + name,
          source: readFileSync(join(folder, name)),
        });
      }
    },
  };
}
