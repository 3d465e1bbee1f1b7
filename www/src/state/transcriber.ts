/** The speech model: chosen, loading, failed or ready. Loaded on demand, apart from the model that answers. */
import { batch, signal } from "@preact/signals";
import type { Transcriber } from "hearth-llm/audio";
import { SPEECH_OFFERS } from "../models/speech.js";
import { modelName } from "./model.js";
import { downloadOptions, isKeptWhole, refreshInstalled } from "./plan.js";
import { change, settings } from "./settings.js";
import { protect } from "./storage.js";

export type SpeechSource = string | File[];

export type SpeechModelState =
  | { name: "none" }
  /** `total` is 0 while it is unknown; `isFetching` is false while what was fetched is being prepared. */
  | { name: "loading"; source: SpeechSource; isFetching: boolean; loaded: number; total: number }
  | { name: "failed"; source: SpeechSource; error: unknown }
  | { name: "ready"; source: SpeechSource; transcriber: Transcriber };

export const speechModel = signal<SpeechModelState>({ name: "none" });

let controller: AbortController | undefined;
let loading: Promise<Transcriber | undefined> | undefined;

/** Returns a model's name in the list, or else that of its file. */
export function speechName(source: SpeechSource): string {
  if (typeof source !== "string") return source.length === 1 ? (source[0]?.name ?? "") : modelName(source);
  return SPEECH_OFFERS.find((offer) => offer.source === source)?.name ?? modelName(source);
}

/** Loads a model in place of the current one; returns undefined if it fails or is given up. */
export function loadSpeech(source: SpeechSource): Promise<Transcriber | undefined> {
  unloadSpeech();
  loading = load(source);
  return loading;
}

async function load(source: SpeechSource): Promise<Transcriber | undefined> {
  const current = new AbortController();
  controller = current;
  const { signal } = current;
  speechModel.value = { name: "loading", source, isFetching: true, loaded: 0, total: 0 };
  // Asked for as with other models: a browser short of room clears other sites first.
  void protect();
  try {
    const { Transcriber } = await import("hearth-llm/audio");
    const transcriber = await Transcriber.create({
      // A single file is a model in itself.
      model: typeof source !== "string" && source.length === 1 ? (source[0] ?? source) : source,
      download: downloadOptions(source),
      signal,
      onProgress: ({ phase, loaded, total }) => {
        if (signal.aborted) return;
        speechModel.value = { name: "loading", source, isFetching: phase === "download", loaded, total };
      },
    });
    // Given up just as it was ready.
    if (signal.aborted) {
      transcriber.dispose();
      return undefined;
    }
    batch(() => {
      speechModel.value = { name: "ready", source, transcriber };
      // Files are not there on the next visit.
      change({ speechModel: typeof source === "string" ? source : "" });
    });
    return transcriber;
  } catch (error) {
    if (!signal.aborted) speechModel.value = { name: "failed", source, error };
    return undefined;
  }
}

/** Gives up a load, or frees the memory of the model. */
export function unloadSpeech(): void {
  controller?.abort();
  controller = undefined;
  loading = undefined;
  const state = speechModel.peek();
  speechModel.value = { name: "none" };
  if (state.name === "ready") state.transcriber.dispose();
}

/** Returns the model, or that of the last visit if it needs no download; undefined if one has to be chosen. */
export async function readySpeech(): Promise<Transcriber | undefined> {
  const state = speechModel.peek();
  if (state.name === "ready") return state.transcriber;
  if (state.name === "loading") return loading;
  const { speechModel: last } = settings.peek();
  if (last === "") return undefined;
  await refreshInstalled();
  return isKeptWhole(last) ? loadSpeech(last) : undefined;
}
