/**
 * The model: chosen, loading, paused, failed or running. Only one backend exists at a time; while one answers, the files
 * of the next one are fetched, and it is replaced when they are here.
 */
import { batch, computed, effect, signal } from "@preact/signals";
import { Engine, fetchModel, HearthError, type Backend, type LoadProgress, type Notice } from "hearth-llm";
import { SharedEngine, type Role, type SharedOptions } from "hearth-llm/shared";
import { SpeedMeter } from "../lib/meter.js";
import { entryOf } from "../models/catalog.js";
import { params } from "../params.js";
import { answerings } from "./answers.js";
import type { Choice, ServerChoice, Source } from "./choice.js";
import { bytesOf, downloadOptions, forgetPlan, isKeptWhole, refreshInstalled } from "./plan.js";
import { noteCrash, noteRun } from "./ran.js";
import { change } from "./settings.js";
import { counted } from "./trust.js";
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
  /** `before`: the model that it should have replaced. */
  | { name: "failed"; choice: Choice; error: unknown; before?: Choice }
  /** The model was running, and its backend ended by itself. */
  | { name: "ended"; choice: Choice; error: unknown }
  | { name: "running"; choice: Choice | ServerChoice; backend: Backend };

export const model = signal<ModelState>({ name: "none" });

/** The model that is to replace the running one, which goes on answering until its files are here. */
export type Incoming =
  /** `ready`: its files are here, and it waits for the end of the answers in progress. */
  { name: "loading" | "paused" | "ready"; choice: Choice } | { name: "failed"; choice: Choice; error: unknown };

export const incoming = signal<Incoming | undefined>(undefined);

export const phases = signal<Record<Phase, PhaseState>>(freshPhases());
/** Download speed in bytes per second; undefined while there is too little data. */
export const downloadSpeed = signal<number | undefined>(undefined);
/** Events concerning the model that the visitor should see. */
export const notices = signal<readonly Notice[]>([]);

/** Whether the model runs in this tab or in another one of this site; undefined without a model. */
export const role = signal<Role | undefined>(undefined);

/** True until it is known whether a model starts by itself. */
export const isStarting = signal(true);

export const backend = computed(() => (model.value.name === "running" ? model.value.backend : undefined));

/** The running model in this page, with its options; undefined if none runs, or one elsewhere. */
export const localChoice = computed((): Choice | undefined => {
  const state = model.value;
  return state.name === "running" && "source" in state.choice ? state.choice : undefined;
});

/** The engine that was created last, for tests and the console; the page itself uses the backend. */
let created: Engine | SharedEngine | undefined;
export const runningEngine = (): typeof created => (created?.backend === backend.value ? created : undefined);

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

/** Loads a model. While another one runs, this one's files are fetched first; a failure of that leaves it running. */
export async function load(choice: Choice): Promise<void> {
  controller?.abort();
  const bytes = bytesOf(choice);
  forgetPlan();
  const current = new AbortController();
  controller = current;
  const before = localChoice.value;
  batch(() => {
    phases.value = freshPhases();
    downloadSpeed.value = undefined;
    incoming.value = backend.value === undefined ? undefined : { name: "loading", choice };
  });
  try {
    if (backend.value !== undefined && !(await isBrought(choice, current))) return;
    await start(choice, current, before, bytes);
  } finally {
    if (controller === current) controller = undefined;
  }
}

/** Fetches what is missing of a model and waits until nothing is answered; returns whether it may take its place. */
async function isBrought(choice: Choice, current: AbortController): Promise<boolean> {
  const { source } = choice;
  const { signal } = current;
  const { cache = "default" } = params.engine;
  const meter = new SpeedMeter();
  try {
    await refreshInstalled();
    if (typeof source === "string" && cache === "default" && !isKeptWhole(source)) {
      await fetchModel({
        model: source,
        download: downloadOptions(source),
        signal,
        onProgress: (progress) => {
          if (controller === current) show(progress, meter);
        },
      });
    }
    // Another load has taken over, or the visitor has stopped this one.
    if (controller !== current || signal.aborted) return false;
    if (answerings.peek().size > 0) incoming.value = { name: "ready", choice };
    await silence(signal);
    return !signal.aborted;
  } catch (error) {
    if (controller === current && !signal.aborted) incoming.value = { name: "failed", choice, error };
    return false;
  }
}

/** Resolves when no conversation is being answered, or at the abort. */
function silence(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => {
      resolve();
    });
    const stop = effect(() => {
      if (answerings.value.size > 0) return;
      resolve();
      queueMicrotask(() => {
        stop();
      });
    });
  });
}

/** Starts a model in place of the current one. */
async function start(
  choice: Choice,
  current: AbortController,
  before: Choice | undefined,
  bytes: number,
): Promise<void> {
  const meter = new SpeedMeter();
  batch(() => {
    unload();
    incoming.value = undefined;
    model.value = { name: "loading", choice };
    notices.value = [];
  });
  // On the CPU a load takes no memory of the GPU's.
  remember(ATTEMPT, choice.options.device === "cpu" ? "0" : String(bytes));
  try {
    const started = await create({
      ...params.engine,
      model: choice.source,
      ...choice.options,
      download: downloadOptions(choice.source),
      contextStore: {},
      signal: current.signal,
      onProgress: (progress) => {
        if (controller === current) show(progress, meter);
      },
      onRole: (played) => {
        if (!current.signal.aborted) role.value = played;
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
    const { device, model: loaded } = started;
    if (device.kind === "webgpu") noteRun(loaded.weight_bytes + loaded.kv_bytes);
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
    if (controller !== current || current.signal.aborted) return;
    model.value = { name: "failed", choice, error, ...(before === undefined ? {} : { before }) };
  } finally {
    remember(ATTEMPT, undefined);
  }
}

/** Creates the engine that all tabs of this site share, or one of this tab's own if the address says so. */
function create(options: SharedOptions): Promise<Engine | SharedEngine> {
  return params.isAlone ? Engine.create(options) : SharedEngine.create(options);
}

/** Takes a model that answers elsewhere in place of the current one. */
export function use(choice: ServerChoice, connected: Backend): void {
  controller?.abort();
  controller = undefined;
  forgetPlan();
  batch(() => {
    unload();
    incoming.value = undefined;
    notices.value = [];
    model.value = { name: "running", choice, backend: counted(connected) };
  });
}

/** Stops a load; the data on disk stays, so that `resume` continues from there. */
export function pause(): void {
  if (incoming.value?.name === "loading") {
    const { choice } = incoming.value;
    controller?.abort();
    incoming.value = { name: "paused", choice };
  }
  if (model.value.name !== "loading") return;
  const { choice } = model.value;
  controller?.abort();
  model.value = { name: "paused", choice };
}

export function resume(): void {
  const paused = incoming.value ?? model.value;
  if (paused.name === "paused") void load(paused.choice);
}

/** Ends a load, or the report of a failed one; a running model goes on. */
export function cancel(): void {
  controller?.abort();
  controller = undefined;
  if (incoming.value !== undefined) incoming.value = undefined;
  else if (backend.value === undefined) model.value = { name: "none" };
}

/** Forgets the backend before ending it, so that its end is not mistaken for a failure. */
export function unload(): void {
  const running = backend.value;
  model.value = { name: "none" };
  role.value = undefined;
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

/** Notes the size of a model whose load crashed the tab. */
export function noteLastCrash(): void {
  try {
    noteCrash(Number(localStorage.getItem(ATTEMPT)) || 0);
  } catch {
    // Without storage nothing was kept.
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
