import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { serviceWorker } from "./build/service-worker.js";

/**
 * Scripts and workers from this origin only, wasm allowed, no inline script or style, pictures from nowhere else:
 * a model's answer can make the page request nothing. Model files may come from any https address and from this machine.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data:",
  "worker-src 'self' blob:",
  "connect-src 'self' https: http://localhost:* http://127.0.0.1:* blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/**
 * In the page, and in `_headers`, which hosts of static sites and `cargo xtask serve` read, so that workers have it too.
 * Only in the build: Vite's development client needs inline styles.
 */
function contentSecurityPolicy(): Plugin {
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [
      {
        tag: "meta",
        attrs: { "http-equiv": "Content-Security-Policy", content: CONTENT_SECURITY_POLICY },
        injectTo: "head-prepend",
      },
    ],
    generateBundle() {
      const source = `/*\n  Content-Security-Policy: ${CONTENT_SECURITY_POLICY}\n  X-Content-Type-Options: nosniff\n`;
      this.emitFile({ type: "asset", fileName: "_headers", source });
    },
  };
}

/** Every browser that has WebGPU reads woff2. */
function fewerFonts(): Plugin {
  return {
    name: "fewer-fonts",
    enforce: "pre",
    transform: (code, id) =>
      id.endsWith("katex.min.css") ? code.replace(/,url\([^)]*\.(woff|ttf)\) format\("[^"]*"\)/g, "") : undefined,
  };
}

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** `--mode fake`: the package as it is, with the tests' fake core in place of the WebAssembly one. */
function fakeCore(): Plugin {
  return {
    name: "fake-core",
    enforce: "pre",
    resolveId: (source) => (source === "./wasm/hearth.js" ? file("./fake/core.ts") : undefined),
    transform: (code, id) =>
      id.endsWith("/dist/worker.js")
        ? code.replace('new URL("./wasm/hearth_bg.wasm", import.meta.url)', '"about:blank"')
        : undefined,
  };
}

export default defineConfig(({ mode }) => {
  const isFake = mode === "fake";
  return {
    base: "./",
    // The same file as within the package, so that it is there once.
    resolve: { alias: [{ find: /^hearth\/paste$/, replacement: file("../pkg/dist/source/paste.js") }] },
    plugins: [contentSecurityPolicy(), fewerFonts(), ...(isFake ? [fakeCore()] : [serviceWorker(file("./src/sw.ts"))])],
    worker: { format: "es", plugins: () => (isFake ? [fakeCore()] : []) },
    build: { target: "es2022", modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
    server: { port: 5173, strictPort: true },
  };
});
