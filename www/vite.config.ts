import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { assetFileNames, chunkFileNames, cmaps, entryFileNames } from "./build/on-demand.js";
import { policy } from "./build/policy.js";
import { serviceWorker } from "./build/service-worker.js";

/** Drops the other font formats: every browser with WebGPU reads woff2. */
function fewerFonts(): Plugin {
  return {
    name: "fewer-fonts",
    enforce: "pre",
    transform: (code, id) =>
      id.endsWith("katex.min.css") ? code.replace(/,url\([^)]*\.(woff|ttf)\) format\("[^"]*"\)/g, "") : undefined,
  };
}

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Serves `--mode fake`: the real package, with the tests' fake core in place of the WebAssembly one. */
function fakeCore(): Plugin {
  return {
    name: "fake-core",
    enforce: "pre",
    resolveId: (source) => (source === "./wasm/hearth.js" ? file("./fake/core.ts") : undefined),
    transform: (code, id) =>
      /\/dist\/(audio-)?worker\.js$/.test(id)
        ? code.replace('new URL("./wasm/hearth_bg.wasm", import.meta.url)', '"about:blank"')
        : undefined,
  };
}

export default defineConfig(({ mode }) => {
  const isFake = mode === "fake";
  return {
    base: "./",
    plugins: [policy(), cmaps(), fewerFonts(), ...(isFake ? [fakeCore()] : [serviceWorker(file("./src/sw.ts"))])],
    worker: {
      format: "es",
      plugins: () => (isFake ? [fakeCore()] : []),
      rolldownOptions: { output: { assetFileNames, chunkFileNames, entryFileNames } },
    },
    build: {
      target: "es2022",
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
      rolldownOptions: { output: { assetFileNames, chunkFileNames } },
    },
    server: { port: 5173, strictPort: true },
  };
});
