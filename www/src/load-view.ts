/** The card that shows how a load goes on: one line and one bar for each phase. */
import type { LoadProgress } from "hearth";
import { byId, el } from "./dom.js";
import { formatBytes, formatDuration } from "./format.js";
import { SpeedMeter } from "./meter.js";

type Phase = Exclude<LoadProgress["phase"], "ready">;

const LABELS: Record<Phase, string> = {
  download: "Getting the file",
  header: "Reading its header",
  weights: "Weights to the device",
  compile: "Preparing the kernels",
};
const PHASES = Object.keys(LABELS) as Phase[];

interface Line {
  root: HTMLElement;
  bar: HTMLProgressElement;
  value: HTMLElement;
}

export class LoadView {
  readonly #root = byId("loading", HTMLElement);
  readonly #lines = new Map<Phase, Line>();
  #speed = new SpeedMeter();

  constructor(onCancel: () => void) {
    byId("cancel-load", HTMLButtonElement).addEventListener("click", onCancel);
  }

  show(name: string): void {
    this.#root.hidden = false;
    byId("loading-name", HTMLElement).textContent = name;
    this.#speed = new SpeedMeter();
    this.#lines.clear();
    for (const phase of PHASES) this.#lines.set(phase, createLine(phase));
    byId("phases", HTMLElement).replaceChildren(...[...this.#lines.values()].map((line) => line.root));
  }

  hide(): void {
    this.#root.hidden = true;
  }

  update(progress: LoadProgress): void {
    const { phase, loaded, total } = progress;
    if (phase === "ready") return;
    this.#finishBefore(phase);
    const line = this.#lines.get(phase);
    if (line === undefined) return;
    const isDone = total > 0 && loaded >= total;
    line.root.dataset.state = isDone ? "done" : "active";
    if (total > 0) line.bar.value = loaded / total;
    else line.bar.removeAttribute("value");
    line.value.textContent = phase === "compile" ? steps(loaded, total) : amount(loaded, total);
    if (phase !== "download") return;
    this.#speed.add(loaded);
    const { speed } = this.#speed;
    if (isDone || speed === undefined || speed <= 0) return;
    line.value.textContent += ` · ${formatBytes(speed)}/s`;
    if (total > 0) line.value.textContent += ` · ${formatDuration((total - loaded) / speed)} left`;
  }

  /** A phase that reports nothing more has ended when the next one reports. Download and weights run side by side. */
  #finishBefore(phase: Phase): void {
    for (const earlier of PHASES.slice(0, PHASES.indexOf(phase))) {
      const line = this.#lines.get(earlier);
      if (line === undefined || (earlier === "download" && phase !== "compile")) continue;
      line.root.dataset.state = "done";
      line.bar.value = 1;
    }
  }
}

function createLine(phase: Phase): Line {
  const bar = el("progress", "");
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", LABELS[phase]);
  const value = el("span", "amount");
  const root = el("div", "phase", el("span", "phase-name", LABELS[phase]), value, bar);
  root.dataset.phase = phase;
  root.dataset.state = "waiting";
  return { root, bar, value };
}

function steps(done: number, total: number): string {
  return total > 0 ? `${String(done)} of ${String(total)}` : "";
}

function amount(loaded: number, total: number): string {
  return total > 0 ? `${formatBytes(loaded)} of ${formatBytes(total)}` : formatBytes(loaded);
}
