/** Starts workers from their scripts, including scripts of another origin. */
import { HearthError } from "../core/errors.js";
import { platform } from "../core/platform.js";

/** Advice for a script that is not found, which developers meet once, in their first minutes with a bundler. */
export const NOT_FOUND_HINT =
  'Check that the package\'s worker.js is served. With Vite 6 or 7, add optimizeDeps: { exclude: ["hearth-llm"] } to its configuration. ' +
  "Elsewhere copy the package's dist folder to your server and name workerUrl and wasmUrl.";

/**
 * Starts a worker whose script is at `url`. Browsers refuse a script of another origin (a CDN), some of them only after
 * the worker seemed to start. A script of this page's origin therefore imports it, which requires `blob:` in the
 * `worker-src` of the page's Content-Security-Policy, if it has one.
 */
export function startFrom(start: () => Worker, url: string | URL, name: string): Worker {
  let own: string | undefined;
  try {
    const other = platform.startWorker?.(url, name);
    if (other !== undefined) return other;
    if (!isElsewhere(url)) return start();
    const script = new Blob([`import ${JSON.stringify(String(url))};`], { type: "text/javascript" });
    own = URL.createObjectURL(script);
    return new Worker(own, { type: "module", name });
  } catch (cause) {
    throw failed(cause);
  } finally {
    // The worker has fetched it by then.
    if (own !== undefined) setTimeout(URL.revokeObjectURL.bind(URL), 60_000, own);
  }
}

/**
 * Reports whether an address is on the web but not on this page's origin. Some bundlers insert a file path instead of
 * an address.
 */
function isElsewhere(url: string | URL): boolean {
  try {
    const { protocol, origin } = new URL(url, globalThis.location.href);
    return /^https?:$/.test(protocol) && origin !== globalThis.location.origin;
  } catch {
    return false;
  }
}

function failed(cause: unknown): HearthError {
  return new HearthError("worker_died", "the worker could not be started", { cause, hint: NOT_FOUND_HINT });
}
