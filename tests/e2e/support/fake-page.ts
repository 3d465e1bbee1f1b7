/** The page on the tests' fake core, whose answers a spec dictates, served alongside a real build. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { BASE_URL, goldenFile, IS_FAKE, root } from "./env.js";
import { serveFiles, type FileServer } from "./file-server.js";

/** Address of its model: any file with the right beginning will do. */
export const FAKE_MODEL = "/models/fake.gguf";

/** Serves a page built from the page's sources and the package's current build. */
export async function serveFakePage(): Promise<FileServer> {
  if (IS_FAKE) return { url: BASE_URL, stop: () => undefined };
  const outDir = mkdtempSync(join(tmpdir(), "hearth-fake-"));
  await build({ root: join(root, "www"), mode: "fake", logLevel: "error", build: { outDir } });
  const { url, stop } = await serveFiles({ [FAKE_MODEL]: goldenFile("tiny/tiny_llama.gguf"), "/": outDir });
  return {
    url,
    stop: () => {
      stop();
      rmSync(outDir, { recursive: true });
    },
  };
}
