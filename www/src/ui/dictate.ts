/** Starts and ends dictation into the message field. Loaded on demand. */
import { effect, signal, untracked } from "@preact/signals";
import type { Transcriber } from "hearth-llm/audio";
import { mediaObstacle } from "../lib/media-access.js";
import { announce } from "../state/announce.js";
import { dictation, isDictating } from "../state/dictating.js";
import { Dictation } from "../state/dictation.js";
import { place } from "../state/draft.js";
import { change } from "../state/settings.js";
import type { SpeechFailure } from "../state/speech-failure.js";
import { readySpeech, speechModel } from "../state/transcriber.js";
import { isTranscribing } from "../state/transcripts.js";
import { s } from "../text/speech.js";
import { dialog } from "./dialogs.js";
import { insertWords, watchInputMethod } from "./prompt.js";

/** Whether dictation begins as soon as the dialog has a model. */
export const isWanted = signal(false);

let running: Dictation | undefined;
/** Counts the attempts to start, so that one that was given up does not go on. */
let attempts = 0;
let isWatching = false;

/** Returns the loudness of this moment, from 0 to 1. */
export const level = (): number => running?.level() ?? 0;

export async function startDictation(): Promise<void> {
  if (isDictating.peek()) return;
  const mine = ++attempts;
  isWanted.value = false;
  const fault = mediaObstacle() ?? (isTranscribing.peek() ? "busy" : undefined);
  if (fault !== undefined) {
    fail({ fault });
    return;
  }
  dictation.value = { name: "starting" };
  const transcriber = await readySpeech();
  if (mine !== attempts) return;
  if (transcriber !== undefined) {
    await run(transcriber);
    return;
  }
  const state = speechModel.peek();
  if (state.name === "failed") {
    fail({ fault: "model", error: state.error });
    return;
  }
  dictation.value = { name: "off" };
  isWanted.value = true;
  dialog.value = "speech";
}

/**
 * Ends dictation when the last words are written, or at once if it is ending already; returns whether all that was said
 * is in the message.
 */
export async function finishDictation(): Promise<boolean> {
  attempts++;
  isWanted.value = false;
  if (running === undefined) {
    dictation.value = { name: "off" };
    return true;
  }
  const isCutShort = dictation.peek().name === "finishing";
  running.finish();
  return (await running.done) === undefined && !isCutShort;
}

/** Takes another microphone, and goes on with it. */
export async function changeMicrophone(deviceId: string): Promise<void> {
  change({ microphone: deviceId });
  if (await finishDictation()) await startDictation();
}

export function dismissFailure(): void {
  if (dictation.peek().name === "failed") dictation.value = { name: "off" };
}

function fail(failure: SpeechFailure): void {
  dictation.value = { name: "failed", failure };
}

async function run(transcriber: Transcriber): Promise<void> {
  if (!isWatching) watchInputMethod();
  isWatching = true;
  const id = place.peek();
  const said: string[] = [];
  const current = new Dictation(transcriber, (words) => {
    said.push(words.trim());
    insertWords(words, id);
  });
  running = current;
  const unwatch = [
    effect(() => {
      const isListening = dictation.value.name === "listening";
      untracked(() => {
        if (isListening) announce(s().began);
      });
    }),
    effect(() => {
      // The words belong to the conversation in which they were said.
      const isElsewhere = place.value !== id;
      untracked(() => {
        if (isElsewhere && dictation.value.name !== "finishing") current.finish();
      });
    }),
  ];
  const failure = await current.done;
  for (const end of unwatch) end();
  running = undefined;
  // A failure is an alert of its own.
  if (failure === undefined) announce(s().ended(said.filter(Boolean).join(" ")));
}
