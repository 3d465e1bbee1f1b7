/** A hook that loads an engine and frees it when nothing uses it any more. */
import { useCallback, useSyncExternalStore } from "react";
import {
  keyOf,
  retryShared,
  stateOf,
  holdShared,
  type EngineState,
  type SharedEngineOptions,
} from "../chat/engines.js";

/** State of the engine that a component uses. */
export interface UseEngine extends Omit<EngineState, "status"> {
  /** `"idle"` without options; otherwise the engine's. */
  readonly status: "idle" | EngineState["status"];
  /** Loads again after an error. */
  readonly retry: () => void;
}

const IDLE: Omit<UseEngine, "retry"> = {
  status: "idle",
  engine: undefined,
  progress: undefined,
  notice: undefined,
  error: undefined,
};

const noop = (): void => undefined;

/**
 * Loads an engine, and disposes it once no component uses it. Components with equal options share one, also those that
 * StrictMode mounts twice. Other options load another engine.
 *
 * @param options What to load, or null for nothing yet, for instance until the visitor agrees to the download. A File, a
 *   stream or a function among them is told apart by identity, so that it must not be made anew at each rendering.
 */
export function useEngine(options: SharedEngineOptions | null): UseEngine {
  const key = options === null ? null : keyOf(options);
  const subscribe = useCallback(
    (onChange: () => void) => (key === null || options === null ? noop : holdShared(key, options, onChange)),
    // The key stands for the options.
    [key],
  );
  const snapshot = (): Omit<UseEngine, "retry"> => (key === null ? IDLE : stateOf(key));
  const state = useSyncExternalStore(subscribe, snapshot, snapshot);
  const retry = useCallback(() => {
    if (key !== null) retryShared(key);
  }, [key]);
  return { ...state, retry };
}
