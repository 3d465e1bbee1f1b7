/** Transcribers on the fake module, and sound for them. */
import { afterEach, beforeEach, vi } from "vitest";
import { Transcriber, type TranscriberOptions } from "../src/audio/index.js";
import { resetFake } from "./audio-module.js";
import { AudioWorkerDouble } from "./audio-worker-double.js";

export const RATE = 16_000;
/** A file of weights that the fake module takes. */
export const GGML = new File(["ggml".padEnd(100, "x")], "ggml-tiny.bin");

/** Gives each test workers of its own. */
export function useFakeModule(): void {
  beforeEach(() => {
    resetFake();
    AudioWorkerDouble.all = [];
    AudioWorkerDouble.onStart = undefined;
    vi.stubGlobal("Worker", AudioWorkerDouble);
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });
}

export function create(options: Partial<TranscriberOptions> = {}): Promise<Transcriber> {
  return Transcriber.create({ model: GGML, ...options });
}

/** Returns silence of some seconds, in which the fake hears as many words. */
export function sound(seconds: number, sampleRate = RATE): { samples: Float32Array; sampleRate: number } {
  return { samples: new Float32Array(Math.round(seconds * sampleRate)), sampleRate };
}

/** Returns a WAV file as the fake reads it: its bytes are the samples. */
export function wav(samples: number[] = [0, 128, 64]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([...Array.from("RIFF....WAVE", (letter) => letter.charCodeAt(0)), ...samples]);
}
