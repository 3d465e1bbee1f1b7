/** Starts workers from their scripts, including scripts of another origin. */
import { HearthError } from "../core/errors.js";

/** Advice for a script that is not found, which developers meet once, in their first minutes with a bundler. */
export const NOT_FOUND_HINT =
  'Check that the package\'s worker.js is served. With Vite 6 or 7, add optimizeDeps: { exclude: ["hearth"] } to its configuration. ' +
  "Elsewhere copy the package's dist folder to your server and name workerUrl and wasmUrl.";

/**
 * Starts a worker whose script is at `url`. Browsers refuse one from another origin (a CDN), some of them only after it seemed to
 * start: then a script of this page's origin imports it, which needs `blob:` among the sources of workers where the page has a
 * Content-Security-Policy.
 */
export function startFrom(start: () => Worker, url: string | URL, name: string): Worker {
  let own: string | undefined;
  try {
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

/** Whether an address is on the web, but not at this page's origin. Some bundlers write the path of a file for it. */
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
