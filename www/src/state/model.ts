/** The model: chosen, loading, paused, failed or running. Only one backend exists at a time. */
import { batch, computed, signal } from "@preact/signals";
import { Engine, HearthError, type Backend, type LoadProgress, type Notice } from "hearth-llm";
import { SpeedMeter } from "../lib/meter.js";
import { entryOf } from "../models/catalog.js";
import { params } from "../params.js";
import type { Choice, ServerChoice, Source } from "./choice.js";
import { downloadOptions, forgetPlan } from "./plan.js";
import { change } from "./settings.js";
import { t } from "../text/index.js";

export type Phase = Exclude<LoadProgress["phase"], "ready">;
export const PHASES: readonly Phase[] = ["download", "header", "weights", "compile"];

export interface PhaseState {
  loaded: number;
  total: number;
  state: "waiting" | "active" | "done";
}

export type ModelState =
  | { name: "none" }
  | { name: "loading" | "paused"; choice: Choice }
  | { name: "failed"; choice: Choice; error: unknown }
  /** The model was running, and its backend ended by itself. */
  | { name: "ended"; choice: Choice; error: unknown }
  | { name: "running"; choice: Choice | ServerChoice; backend: Backend };

export const model = signal<ModelState>({ name: "none" });
export const phases = signal<Record<Phase, PhaseState>>(freshPhases());
/** Download speed in bytes per second; undefined while there is too little data. */
export const downloadSpeed = signal<number | undefined>(undefined);
/** Events concerning the model that the visitor should see. */
export const notices = signal<readonly Notice[]>([]);

/** True until it is known whether a model starts by itself. */
export const isStarting = signal(true);

export const backend = computed(() => (model.value.name === "running" ? model.value.backend : undefined));

/** The running model in this page, with its options; undefined if none runs, or one elsewhere. */
export const localChoice = computed((): Choice | undefined => {
  const state = model.value;
  return state.name === "running" && "source" in state.choice ? state.choice : undefined;
});

/** The engine that was created last, for tests and the console; the page itself uses the backend. */
let created: Engine | undefined;
export const runningEngine = (): Engine | undefined => (created?.backend === backend.value ? created : undefined);

/** Key that records a load in progress: a tab that a model has crashed should not load it again by itself. */
const ATTEMPT = "hearth.loading";

let controller: AbortController | undefined;

export function modelName(source: Source): string {
  if (Array.isArray(source)) return `${String(source.length)} files`;
  if (typeof source !== "string") return source.name;
  const name = source.split(/[?#]/)[0]?.replace(/\/$/, "").split("/").pop() ?? source;
  try {
    return decodeURIComponent(name);
  } catch {
    // A literal percent sign.
    return name;
  }
}

/** Returns the model's name in the list, or else the one in its file. */
export function runningName({ model: { name }, local, servedBy }: Backend): string {
  if (servedBy?.where === "browser") return t().browsersModel;
  return entryOf(localChoice.value?.source)?.name ?? (name || (local?.model.architecture ?? ""));
}

/** Loads a model in place of the current one. */
export async function load(choice: Choice): Promise<void> {
  controller?.abort();
  forgetPlan();
  unload();
  const current = new AbortController();
  controller = current;
  const meter = new SpeedMeter();
  batch(() => {
    model.value = { name: "loading", choice };
    phases.value = freshPhases();
    downloadSpeed.value = undefined;
    notices.value = [];
  });
  remember(ATTEMPT, "1");
  try {
    const started = await Engine.create({
      ...params.engine,
      model: choice.source,
      ...choice.options,
      download: downloadOptions(choice.source),
      signal: current.signal,
      onProgress: (progress) => {
        if (controller === current) show(progress, meter);
      },
      onNotice: (notice) => {
        notices.value = [...notices.value, notice];
      },
    });
    // Stopped, or another model was taken, just as this one was ready.
    if (current.signal.aborted) {
      started.dispose();
      return;
    }
    created = started;
    batch(() => {
      model.value = { name: "running", choice, backend: started.backend };
      const modelOptions = { ...choice.options };
      delete modelOptions.device;
      const source = typeof choice.source === "string" ? choice.source : "";
      change({ model: source, modelOptions, isOnServer: false });
    });
    void started.closed.then((error) => {
      if (backend.value === started.backend) model.value = { name: "ended", choice, error };
    });
  } catch (error) {
    // Another load has taken over, or the visitor has stopped this one.
    if (controller !== current || current.signal.aborted) return;
    model.value = { name: "failed", choice, error };
  } finally {
    if (controller === current) controller = undefined;
    remember(ATTEMPT, undefined);
  }
}

/** Takes a model that answers elsewhere in place of the current one. */
export function use(choice: ServerChoice, connected: Backend): void {
  controller?.abort();
  controller = undefined;
  forgetPlan();
  batch(() => {
    unload();
    notices.value = [];
    model.value = { name: "running", choice, backend: connected };
  });
}

/** Stops a load; the data on disk stays, so that `resume` continues from there. */
export function pause(): void {
  if (model.value.name !== "loading") return;
  const { choice } = model.value;
  controller?.abort();
  model.value = { name: "paused", choice };
}

export function resume(): void {
  if (model.value.name === "paused") void load(model.value.choice);
}

export function cancel(): void {
  controller?.abort();
  model.value = { name: "none" };
}

/** Forgets the backend before ending it, so that its end is not mistaken for a failure. */
export function unload(): void {
  const running = backend.value;
  model.value = { name: "none" };
  running?.dispose();
}

/** Whether the last load crashed the whole tab. */
export function lastLoadCrashed(): boolean {
  try {
    return localStorage.getItem(ATTEMPT) !== null;
  } catch {
    return false;
  }
}

export function canUseCpu(error: unknown): boolean {
  return error instanceof HearthError && error.code === "no_webgpu";
}

function show({ phase, loaded, total }: LoadProgress, meter: SpeedMeter): void {
  if (phase === "ready") return;
  const next = { ...phases.value };
  // A phase has ended when the next one reports, since it sends no final report. Download and weights run side by side.
  for (const earlier of PHASES.slice(0, PHASES.indexOf(phase))) {
    const isBeside = phase === "weights" && earlier === "download";
    if (!isBeside && next[earlier].state !== "done") next[earlier] = { ...next[earlier], state: "done" };
  }
  next[phase] = { loaded, total, state: total > 0 && loaded >= total ? "done" : "active" };
  phases.value = next;
  if (phase !== "download") return;
  meter.add(loaded);
  downloadSpeed.value = meter.speed;
}

function freshPhases(): Record<Phase, PhaseState> {
  const waiting: PhaseState = { loaded: 0, total: 0, state: "waiting" };
  return { download: waiting, header: waiting, weights: waiting, compile: waiting };
}

function remember(key: string, value: string | undefined): void {
  try {
    if (value === undefined) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Private windows may refuse; then nothing is remembered.
  }
}
