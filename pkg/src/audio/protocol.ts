/** Messages between the page and the worker that recognises speech. */
import type { FromModule, ToModule } from "../core/module-protocol.js";
import type { CacheMode, DeviceChoice, DownloadOptions, Notice, SourceSpec } from "../core/protocol.js";
import type { ModuleInfo, RunOptions, SpeechEvent, SubtitleKind, TranscriptionSegment } from "./module.js";

/** Rate that the models hear, in samples a second. */
export const SAMPLE_RATE = 16_000;

/** Sound of one channel, in -1 to 1. */
export interface AudioSamples {
  samples: Float32Array;
  /** Samples a second. */
  sampleRate: number;
}

export interface SpeechLoadRequest {
  source: SourceSpec;
  download: DownloadOptions;
  cache: CacheMode;
  device: DeviceChoice;
  wasmUrl?: string;
  coreUrl?: string;
}

export interface SpeechLoaded {
  info: ModuleInfo;
  /** Notices for the user, in chronological order. */
  notices: Notice[];
}

export interface TranscribeRequest {
  sound: AudioSamples;
  options: RunOptions;
}

/** The next samples of a stream. */
export interface HearRequest {
  /** Number of the stream. */
  stream: number;
  sound: AudioSamples;
}

export interface SubtitlesRequest {
  kind: SubtitleKind;
  segments: Pick<TranscriptionSegment, "start" | "end" | "text">[];
}

/** Calls of the page, each with its parameters and result. */
export interface SpeechCalls {
  load: { params: SpeechLoadRequest; result: SpeechLoaded };
  decodeWav: { params: { bytes: Uint8Array }; result: Float32Array };
  transcribe: { params: TranscribeRequest; result: null };
  /** Returns the probabilities of speech in the frames of 32 ms that have become whole. */
  hear: { params: HearRequest; result: Float32Array };
  forget: { params: { stream: number }; result: null };
  subtitles: { params: SubtitlesRequest; result: string };
}

export type ToSpeechWorker = ToModule<SpeechCalls>;
export type FromSpeechWorker = FromModule<SpeechCalls, SpeechEvent>;
