/** What the page may do, and what others may do with it. */
import type { Plugin } from "vite";

/**
 * Scripts and workers from this origin only, wasm allowed, no inline script or style, pictures from nowhere else:
 * a model's answer can make the page request nothing. Model files may come from any https address and from this machine.
 */
export const PAGE_POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data:",
  "worker-src 'self'",
  "connect-src 'self' https: http://localhost:* http://127.0.0.1:* blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** For hosts to send. No other page may frame this one, or a click there could delete a model here; a page cannot say that of itself. */
export const HEADERS: Record<string, string> = {
  "Content-Security-Policy": `${PAGE_POLICY}; frame-ancestors 'none'`,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

/**
 * In the page, and in `_headers`, which hosts of static sites and `cargo xtask serve` read, so that workers have it too.
 * Only in the build: Vite's development client needs inline styles.
 */
export function policy(): Plugin {
  const meta = (attrs: Record<string, string>) => ({ tag: "meta", attrs, injectTo: "head-prepend" as const });
  return {
    name: "policy",
    apply: "build",
    transformIndexHtml: () => [
      meta({ "http-equiv": "Content-Security-Policy", content: PAGE_POLICY }),
      meta({ name: "referrer", content: HEADERS["Referrer-Policy"] ?? "" }),
    ],
    generateBundle() {
      const lines = Object.entries(HEADERS).map(([name, value]) => `  ${name}: ${value}\n`);
      this.emitFile({ type: "asset", fileName: "_headers", source: `/*\n${lines.join("")}` });
    },
  };
}
