/**
 * The WebAssembly module that recognises speech as TypeScript sees it: `audio/src/web.rs`, with its JSON. Written by hand.
 *
 * Every failure is a thrown Error named "HearthError" with `code`, `message` and `hint`.
 */

/** Facts of a loaded model. */
export interface ModuleInfo {
  /** The device that computes its network. */
  device: "webgpu" | "cpu";
  /** Whether the model knows other languages than English, and translates into it. */
  isMultilingual: boolean;
  /** Codes of the languages that the model knows. */
  languages: string[];
  /** Mel bins of its spectrograms: 80 or 128. */
  nMels: number;
  /** Number of weights. */
  parameters: number;
  /** Bytes that the weights take in memory. */
  bytes: number;
}

/** Options of one run, sent as JSON; the module refuses unknown fields. */
export interface RunOptions {
  task: "transcribe" | "translate";
  /** Code of the spoken language; detected if absent. */
  language?: string;
  prompt?: string;
  /** Temperatures to try in order, until a text passes the thresholds. */
  temperatures: number[];
  /** Texts that are drawn at a temperature above 0; the likeliest counts. */
  bestOf: number;
  timestamps: boolean;
  /** Whether words have times. */
  words: boolean;
  /** Whether what is no speech is cut out first. */
  vadFilter: boolean;
  conditionOnPreviousText: boolean;
  noSpeechThreshold: number;
  logprobThreshold: number;
  compressionRatioThreshold: number;
  seed: number;
}

/** A word and its time in seconds. */
export interface TranscriptionWord {
  word: string;
  start: number;
  end: number;
}

/** A piece of the text with its time, in the shape of OpenAI's `verbose_json`. */
export interface TranscriptionSegment {
  id: number;
  /** Frame, of 10 ms, at which the window of this segment begins. */
  seek: number;
  /** Seconds from the beginning. */
  start: number;
  end: number;
  text: string;
  tokens: number[];
  temperature: number;
  avg_logprob: number;
  compression_ratio: number;
  no_speech_prob: number;
}

export interface TimedSegment extends TranscriptionSegment {
  words?: TranscriptionWord[];
}

/** News of a run, returned as JSON. */
export type SpeechEvent =
  | { type: "progress"; seconds: number; duration: number }
  /** The language that was detected. */
  | { type: "language"; language: string; probability: number }
  /** Segments that do not change any more. */
  | { type: "segments"; segments: TimedSegment[] }
  | { type: "done"; duration: number };

/** Work that a run asks of a network elsewhere, in the place of an event; then `answer` is called. */
export type NetworkWork =
  /** To hear the window that `mel` returns; the answer has no numbers. */
  | { type: "encode" }
  /** To compute tokens; the answer has the numbers that the core's `decode` returns. */
  | { type: "decode"; from: number; ids: number[]; picks: number[] }
  /** To compute a text again; the answer has the weights that the core's `align` returns. */
  | { type: "align"; ids: number[]; heads: [number, number][] };

export interface WasmTranscriptionRun {
  /** Does 10 to 300 ms of work; returns its event as JSON, or `NetworkWork`, or undefined at the end. */
  next(): string | undefined;
  mel(): Float32Array;
  /** Takes the numbers of a network elsewhere; returns the event that they came to as JSON. */
  answer(numbers: Float32Array): string;
  free(): void;
}

export interface WasmSpeechModel {
  /** Returns `ModuleInfo` as JSON. */
  info(): string;
  /** Returns what a network elsewhere has to know, as JSON. */
  network(): string;
  /** Begins a run. `samples`: mono at 16 kHz; `options`: `RunOptions` as JSON. */
  start(samples: Float32Array, options: string): WasmTranscriptionRun;
  free(): void;
}

/** A tensor for a network elsewhere. */
export interface WasmHandedTensor {
  readonly name: string;
  readonly rows: number;
  readonly cols: number;
  /** Whether the values are f16, or else f32. */
  readonly halves: boolean;
  /** Returns the bytes of the values, once. */
  take(): Uint8Array;
  free(): void;
}

export interface WasmSpeechLoader {
  /** Makes tensors be handed over instead of kept; to be called before anything else. */
  handOver(): void;
  /** Returns the next tensor that is handed over, if it has come. */
  handed(): WasmHandedTensor | undefined;
  /** Takes a text of the model's folder by its name. */
  text(name: string, text: string): void;
  /** Takes the next bytes of the weights. */
  push(chunk: Uint8Array): void;
  /** Makes the model; the loader is used up. */
  finish(): WasmSpeechModel;
  /** Makes a model whose tensors were all handed over; the loader is used up. */
  finishElsewhere(): WasmSpeechModel;
  free(): void;
}

/** Detector of speech in one stream. */
export interface WasmVoiceListener {
  /** Takes the next samples; returns the probabilities of speech in the frames of 32 ms that have become whole. */
  hear(samples: Float32Array): Float32Array;
  free(): void;
}

/** Format of a file of subtitles. */
export type SubtitleKind = "srt" | "vtt";

export interface AudioWasm {
  default(arg: { module_or_path: URL | string | Response | WebAssembly.Module }): Promise<unknown>;
  SpeechLoader: new () => WasmSpeechLoader;
  /** Begins to listen to a stream of `rate` samples a second. */
  VoiceListener: new (rate: number) => WasmVoiceListener;
  /** Reads a WAV file as mono samples at 16 kHz. */
  decodeWav(bytes: Uint8Array): Float32Array;
  /** Returns mono samples of any rate at 16 kHz. */
  resample(samples: Float32Array, rate: number): Float32Array;
  /** Returns segments, given as JSON, as a file of subtitles. */
  subtitles(kind: SubtitleKind, segments: string): string;
}
