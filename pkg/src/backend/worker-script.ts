/** Starts workers from their scripts, including scripts of another origin. */
import { HearthError } from "../core/errors.js";

/** Advice for a script that is not found, which developers meet once, in their first minutes with a bundler. */
export const NOT_FOUND_HINT =
  'Check that the package\'s worker.js is served. With Vite 6 or 7, add optimizeDeps: { exclude: ["hearth"] } to its configuration. ' +
  "Elsewhere copy the package's dist folder to your server and name workerUrl and wasmUrl.";

/**
 * Starts a worker. Browsers refuse a script of another origin (a CDN); then a script of this page's origin imports it,
 * which requires `blob:` in the `worker-src` of the page's Content-Security-Policy, if it has one.
 */
export function startFrom(start: () => Worker, url: string | URL, name: string): Worker {
  try {
    return start();
  } catch (cause) {
    if (!isElsewhere(url)) throw failed(cause);
  }
  const script = new Blob([`import ${JSON.stringify(String(url))};`], { type: "text/javascript" });
  const own = URL.createObjectURL(script);
  try {
    return new Worker(own, { type: "module", name });
  } catch (cause) {
    throw failed(cause);
  } finally {
    // Revoked only after the worker has begun to fetch it.
    setTimeout(() => {
      URL.revokeObjectURL(own);
    }, 60_000);
  }
}

function isElsewhere(url: string | URL): boolean {
  try {
    return new URL(url, globalThis.location.href).origin !== globalThis.location.origin;
  } catch {
    return false;
  }
}

function failed(cause: unknown): HearthError {
  return new HearthError("worker_died", "the worker could not be started", { cause, hint: NOT_FOUND_HINT });
}
