/** Thins out progress reports: a download has thousands of steps, a page needs a few per second. */
import type { LoadProgress } from "../core/protocol.js";

const INTERVAL_MS = 50;

export class ProgressMeter {
  readonly #report: (progress: LoadProgress) => void;
  readonly #last = new Map<LoadProgress["phase"], number>();

  constructor(report: (progress: LoadProgress) => void) {
    this.#report = report;
  }

  /** Reports progress at intervals; the first and last report of a phase always pass. */
  update(progress: LoadProgress): void {
    const now = performance.now();
    const last = this.#last.get(progress.phase);
    const isEnd = progress.total > 0 && progress.loaded >= progress.total;
    if (last !== undefined && !isEnd && now - last < INTERVAL_MS) return;
    this.#last.set(progress.phase, now);
    this.#report(progress);
  }
}
