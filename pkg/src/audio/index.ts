/** Speech recognition by Whisper, in a worker of its own with a WebAssembly module of its own. No sound leaves the device. */
export { Transcriber } from "./transcriber.js";
export type { SpeechApi, SpeechModelSource, TranscriberOptions } from "./transcriber.js";
export type { SpeechInfo } from "./link.js";
export { LiveTranscription } from "./live.js";
export type { LiveOptions, LiveText } from "./live.js";
export { Transcriptions, Translations } from "./transcriptions.js";
export type { TranscriptionAnswer, TranscriptionStream } from "./transcriptions.js";
export type {
  AudioFile,
  AudioResponseFormat,
  AudioTextFormat,
  SpeechCreateParams,
  Transcription,
  TranscriptionCreateParams,
  TranscriptionCreateParamsNonStreaming,
  TranscriptionCreateParamsStreaming,
  TranscriptionProgress,
  TranscriptionStreamEvent,
  TranscriptionUsage,
  TranscriptionVerbose,
} from "./openai.js";
export type { TranscriptionSegment, TranscriptionWord } from "./module.js";
export type { AudioSamples } from "./protocol.js";
