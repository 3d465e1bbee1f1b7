/** Requests and answers of `audio.transcriptions` and `audio.translations` in the shapes of OpenAI's client, and the fields of our own. */
import type { TranscriptionSegment, TranscriptionWord } from "./module.js";
import type { AudioSamples } from "./protocol.js";

/**
 * A recording: a file of any format that the browser decodes, or sound that is decoded already. A `File` is a `Blob`.
 *
 * It stays as it is: sound is copied on its way to the worker.
 */
export type AudioFile = Blob | Response | ArrayBuffer | AudioBuffer | AudioSamples;

export type AudioResponseFormat = "json" | "text" | "srt" | "vtt" | "verbose_json";
/** Formats whose answer is a string. */
export type AudioTextFormat = "text" | "srt" | "vtt";

/** Progress of a transcription, in seconds of the recording. */
export interface TranscriptionProgress {
  seconds: number;
  duration: number;
  /** Segments so far, which do not change any more: the same array until there are more. */
  segments: readonly TranscriptionSegment[];
}

/** Fields of each request. */
export interface SpeechCreateParams {
  file: AudioFile;
  /** Ignored: a transcriber has one model. */
  model?: string;
  /** Spoken language: a code such as `en`, or its English name. Default: it is detected. */
  language?: string | null;
  /** Text that sets style and spelling, as if it had been said before; its last 223 tokens count. */
  prompt?: string | null;
  /**
   * Temperatures from 0 to 2, to try in order until a text passes the thresholds. Default, and for 0: 0, 0.2, 0.4, 0.6, 0.8, 1.
   * Another number is tried alone.
   */
  temperature?: number | number[] | null;
  /** Times that `verbose_json` has. Default: those of segments. */
  timestamp_granularities?: ("word" | "segment")[] | null;
  signal?: AbortSignal | null;
  onProgress?: ((progress: TranscriptionProgress) => void) | null;
  /** Whether noise and silence of 2 s and more are cut out first, by a detector of voice. Default false. */
  vad_filter?: boolean | null;
  /** Texts that are drawn at each temperature above 0, of which the likeliest counts: 1 to 16. Default 1. */
  best_of?: number | null;
  /** Whether each window is told the text before it, which is more consistent and repeats itself more. Default false. */
  condition_on_previous_text?: boolean | null;
  /** Probability of silence above which a window without confidence has no text. Default 0.6. */
  no_speech_threshold?: number | null;
  /** Mean log-probability below which a window is tried at the next temperature. Default -1. */
  logprob_threshold?: number | null;
  /** Ratio of a text's length to its compressed length above which a window is tried again, as it repeats itself. Default 2.4. */
  compression_ratio_threshold?: number | null;
}

export interface TranscriptionCreateParamsNonStreaming<
  Format extends AudioResponseFormat | undefined = AudioResponseFormat | undefined,
> extends SpeechCreateParams {
  /** Default: `json`. */
  response_format?: Format | undefined;
  stream?: false | null;
}

export interface TranscriptionCreateParamsStreaming extends SpeechCreateParams {
  response_format?: "json" | "text" | undefined;
  stream: true;
}

export interface TranscriptionCreateParams extends SpeechCreateParams {
  response_format?: AudioResponseFormat | undefined;
  stream?: boolean | null;
}

/** Length of the recording in whole seconds, as OpenAI counts it. */
export interface TranscriptionUsage {
  type: "duration";
  seconds: number;
}

export interface Transcription {
  text: string;
  usage: TranscriptionUsage;
}

export interface TranscriptionVerbose {
  task: "transcribe" | "translate";
  /** English name of the spoken language, in lower case; of a translation it is English. */
  language: string;
  /** Length of the recording in seconds. */
  duration: number;
  text: string;
  segments?: TranscriptionSegment[];
  words?: TranscriptionWord[];
  usage: TranscriptionUsage;
}

/** News of a streamed transcription: text that does not change any more, and the whole at the end. */
export type TranscriptionStreamEvent =
  { type: "transcript.text.delta"; delta: string } | { type: "transcript.text.done"; text: string };
