/** The signals of a request: the caller's, followed by one of the request's own. */
import { cancelled, HearthError, toHearthError } from "../core/errors.js";

/** Returns a controller that follows the caller's signals, and a function that detaches it from them. */
export function followSignals(signals: (AbortSignal | null | undefined)[]): {
  controller: AbortController;
  unlink: () => void;
} {
  const controller = new AbortController();
  const links: (() => void)[] = [];
  for (const signal of signals) {
    if (!signal) continue;
    const onAbort = (): void => {
      controller.abort(signal.reason);
    };
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    links.push(() => {
      signal.removeEventListener("abort", onAbort);
    });
  }
  const unlink = (): void => {
    for (const link of links) link();
  };
  return { controller, unlink };
}

/** Converts what a backend has thrown: anything after an abort, such as fetch's own error, is `cancelled`. */
export function asHearthError(error: unknown, signal: AbortSignal): HearthError {
  if (!(error instanceof HearthError) && signal.aborted) return cancelled(signal.reason);
  return toHearthError(error);
}
