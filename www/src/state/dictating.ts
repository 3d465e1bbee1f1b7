/**
 * The part of dictation that a visit without it needs. The rest (`dictation.ts`, `transcriber.ts`) is fetched when the
 * microphone's button is pressed for the first time, or a recording is added.
 */
import { computed, signal } from "@preact/signals";
import type { SpeechFailure } from "./speech-failure.js";

export type DictationState =
  | { name: "off" }
  /** The model is being loaded, or the browser asks for the microphone. */
  | { name: "starting" }
  | { name: "listening" }
  /** The microphone is off, and the last words are being written. */
  | { name: "finishing" }
  | { name: "failed"; failure: SpeechFailure };

export const dictation = signal<DictationState>({ name: "off" });

/** Whether the microphone is on, or about to be, or its last words are still to come. */
export const isDictating = computed(() => dictation.value.name !== "off" && dictation.value.name !== "failed");
