/** Needs of a tab that its browser meets, in one place, so that tests can have several tabs in one process. */
import type { EngineOptions, OpenedWorker } from "../engine.js";

/** The part of a `BroadcastChannel` in use. */
export interface Channel {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

export interface Place {
  /** Absent in pages without a secure context. */
  readonly locks: Pick<LockManager, "request"> | undefined;
  /** Target of `pagehide`, `pageshow`, and of `freeze` and `resume`, which bubble from the document. */
  readonly page: Pick<EventTarget, "addEventListener" | "removeEventListener">;
  channel(name: string): Channel;
  open(options: EngineOptions): Promise<OpenedWorker>;
}

/** Returns the place of this tab. */
export function here(): Place {
  return {
    locks: (globalThis as { navigator?: Partial<Navigator> }).navigator?.locks,
    page: globalThis,
    channel: (name) => new BroadcastChannel(name),
    // Loaded where it is needed: a tab that follows does without the engine.
    open: async (options) => (await import("../engine.js")).openWorker(options),
  };
}
