/** The page's content security policy and the security headers for hosts. */
import type { Plugin } from "vite";

/**
 * Allows scripts and workers from this origin only, WebAssembly, no inline script or style, and no images from
 * elsewhere, so that a model's answer cannot make the page request anything; those of the conversation are Blobs. Model
 * files may come from any https address and from this machine.
 */
export const PAGE_POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "worker-src 'self'",
  "connect-src 'self' https: http://localhost:* http://127.0.0.1:* blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/**
 * Headers for hosts to send. No other page may frame this one, or a click there could delete a model here; a `<meta>`
 * policy cannot forbid that.
 */
export const HEADERS: Record<string, string> = {
  "Content-Security-Policy": `${PAGE_POLICY}; frame-ancestors 'none'`,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
};

/**
 * Puts the policy into the page and into `_headers`, which static hosts and `cargo xtask serve` read, so that it covers
 * workers too. Applies to the build only: Vite's development client needs inline styles.
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
