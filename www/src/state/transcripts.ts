/** The recordings of this visit, transcribed one after another. Loaded on demand. */
import { computed, effect, signal, untracked } from "@preact/signals";
import { HearthError } from "hearth-llm";
import type { Transcriber } from "hearth-llm/audio";
import { isDictating } from "./dictating.js";
import { failureOf, isCancelled, type SpeechFailure } from "./speech-failure.js";
import { speechLanguage } from "./speech-language.js";
import { speechModel } from "./transcriber.js";

/** A piece of the text and its place in the recording, in seconds. */
export interface Segment {
  start: number;
  end: number;
  text: string;
}

export interface Recording {
  key: string;
  file: File;
  /** Waits for a model or for its turn, is listened to, or is done with, in one way or another. */
  state: "waiting" | "listening" | "done" | "stopped" | "failed";
  segments: readonly Segment[];
  /** Seconds that were listened to, of how many; undefined while that is unknown. */
  seconds?: number;
  duration?: number;
  /** The language as the model names it. */
  language?: string;
  failure?: SpeechFailure;
}

/** All recordings, in the order in which they were added. */
export const recordings = signal<readonly Recording[]>([]);
/** Whether one of them is listened to right now. */
export const isTranscribing = computed(() => recordings.value.some(({ state }) => state === "listening"));

/** The transcription in progress. */
let running: { key: string; stop: AbortController } | undefined;

export function addRecordings(files: readonly File[]): void {
  recordings.value = [...recordings.value, ...files.map((file) => fresh(crypto.randomUUID(), file))];
}

function fresh(key: string, file: File): Recording {
  return { key, file, state: "waiting", segments: [] };
}

/** Stops a recording; what was written of it stays. */
export function stopRecording(key: string): void {
  if (running?.key === key) running.stop.abort();
  else update(key, { state: "stopped" });
}

/** Listens to a recording again, from the beginning. */
export function retryRecording(key: string): void {
  replace(key, ({ file }) => fresh(key, file));
}

export function removeRecording(key: string): void {
  recordings.value = recordings.value.filter((recording) => recording.key !== key);
  if (running?.key === key) running.stop.abort();
}

/** Returns the whole text, one line a segment. */
export function textOf({ segments }: Pick<Recording, "segments">): string {
  return segments.map(({ text }) => text.trim()).join("\n");
}

function replace(key: string, make: (recording: Recording) => Recording): void {
  recordings.value = recordings.value.map((recording) => (recording.key === key ? make(recording) : recording));
}

function update(key: string, changes: Partial<Recording>): void {
  replace(key, (recording) => ({ ...recording, ...changes }));
}

/** Takes up the next recording when there is a model, and nobody dictates. */
effect(() => {
  const model = speechModel.value;
  const next = recordings.value.find(({ state }) => state === "waiting");
  if (model.name !== "ready" || next === undefined || isTranscribing.value || isDictating.value) return;
  untracked(() => void transcribe(model.transcriber, next));
});

async function transcribe(transcriber: Transcriber, { key, file }: Recording): Promise<void> {
  const current = { key, stop: new AbortController() };
  running = current;
  update(key, { state: "listening" });
  const language = speechLanguage(transcriber.model);
  try {
    const transcription = await transcriber.audio.transcriptions.create(
      {
        file,
        response_format: "verbose_json",
        ...(language === undefined ? {} : { language }),
        onProgress: (progress) => {
          if (!current.stop.signal.aborted) update(key, progress);
        },
      },
      { signal: current.stop.signal },
    );
    const { segments = [], duration, language: spoken } = transcription;
    // The format has a word where nothing was said.
    update(key, { state: "done", segments, duration, ...(spoken === "unknown" ? {} : { language: spoken }) });
  } catch (error) {
    if (current.stop.signal.aborted || isCancelled(error)) update(key, { state: "stopped" });
    // Another model is taken, which will listen to it from the beginning.
    else if (error instanceof HearthError && error.code === "disposed") retryRecording(key);
    else update(key, { state: "failed", failure: failureOf(error) });
  } finally {
    // Another one may have begun after this one was removed.
    if (running === current) running = undefined;
  }
}
