/** The recordings of this visit, transcribed one after another, and the transcripts of earlier ones. Loaded on demand. */
import { computed, effect, signal, untracked } from "@preact/signals";
import { HearthError } from "hearth-llm";
import type { Transcriber } from "hearth-llm/audio";
import { languageCode } from "../lib/language-name.js";
import type { Segment, Transcript } from "../store/transcript.js";
import { isDictating } from "./dictating.js";
import { failureOf, isCancelled, type SpeechFailure } from "./speech-failure.js";
import { speechLanguage } from "./speech-language.js";
import { opened } from "./store.js";
import { speechModel } from "./transcriber.js";

export interface Recording {
  key: string;
  /** Name of the file, its bytes, and the time at which it was added, in milliseconds since 1970. */
  name: string;
  size: number;
  added: number;
  /** The sound; undefined for a transcript of an earlier visit. */
  file?: File;
  /** Waits for a model or for its turn, is listened to, or is done with, in one way or another. */
  state: "waiting" | "listening" | "done" | "stopped" | "failed";
  segments: readonly Segment[];
  /** Seconds that were listened to, of how many; undefined while that is unknown. */
  seconds?: number;
  duration?: number;
  /** The code of the language, or its English name if it is none of the model's. */
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

function fresh(key: string, file: File, added = Date.now()): Recording {
  return { key, file, name: file.name, size: file.size, added, state: "waiting", segments: [] };
}

let recalling: Promise<void> | undefined;

/** Reads the transcripts of earlier visits, once. */
export function recallTranscripts(): Promise<void> {
  return (recalling ??= recall().catch(() => undefined));
}

async function recall(): Promise<void> {
  const kept = await (await opened()).transcripts();
  const known = new Set(recordings.peek().map(({ key }) => key));
  const earlier = kept.filter(({ key }) => !known.has(key)).sort((a, b) => a.added - b.added);
  recordings.value = [...earlier.map(toRecording), ...recordings.value];
}

function toRecording({ isWhole, ...transcript }: Transcript): Recording {
  return { ...transcript, state: isWhole ? "done" : "stopped" };
}

/** Keeps what was written of a recording, so that it outlasts the page. */
async function keep(recording: Recording): Promise<void> {
  const { key, name, size, added, state, segments, duration, language } = recording;
  const transcript: Transcript = { key, name, size, added, isWhole: state === "done", segments };
  if (duration !== undefined) transcript.duration = duration;
  if (language !== undefined) transcript.language = language;
  const store = await opened();
  // It may have been removed meanwhile.
  if (recordings.peek().some((one) => one.key === key)) await store.putTranscript(transcript);
}

/** Stops a recording; what was written of it stays. */
export function stopRecording(key: string): void {
  if (running?.key === key) running.stop.abort();
  else update(key, { state: "stopped" });
}

/** Listens to a recording again, from the beginning. */
export function retryRecording(key: string): void {
  replace(key, (recording) => {
    const { file, added } = recording;
    return file === undefined ? recording : fresh(key, file, added);
  });
}

export function removeRecording(key: string): void {
  recordings.value = recordings.value.filter((recording) => recording.key !== key);
  if (running?.key === key) running.stop.abort();
  // A store that refuses has nothing to remove.
  void opened().then((store) => store.removeTranscript(key).catch(() => undefined));
}

/** Returns the whole text, one line a segment. */
export function textOf({ segments }: Pick<Recording, "segments">): string {
  return segments.map(({ text }) => text.trim()).join("\n");
}

function replace(key: string, make: (recording: Recording) => Recording): void {
  recordings.value = recordings.value.map((recording) => (recording.key === key ? make(recording) : recording));
}

function update(key: string, changes: Partial<Recording>): void {
  const before = recordings.value.find((recording) => recording.key === key);
  if (before === undefined) return;
  const after = { ...before, ...changes };
  replace(key, () => after);
  const isNews = after.segments.length !== before.segments.length || after.state !== before.state;
  // A transcript that could not be kept is still on the page.
  if (isNews && after.segments.length > 0) void keep(after).catch(() => undefined);
}

/** Takes up the next recording when there is a model, and nobody dictates. */
effect(() => {
  const model = speechModel.value;
  const next = recordings.value.find(({ state }) => state === "waiting");
  const file = next?.file;
  if (model.name !== "ready" || file === undefined || isTranscribing.value || isDictating.value) return;
  untracked(() => void transcribe(model.transcriber, next?.key ?? "", file));
});

async function transcribe(transcriber: Transcriber, key: string, file: File): Promise<void> {
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
    const heard = { state: "done", segments, duration } as const;
    // The format has a word where nothing was said.
    update(
      key,
      spoken === "unknown" ? heard : { ...heard, language: languageCode(spoken, transcriber.model.languages) },
    );
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
