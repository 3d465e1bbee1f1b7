/** Substitute for the generated `pkg/audio/audio.d.ts`, like `hearth.d.ts` for the core's. */
import type { AudioWasm } from "../audio/module.js";

declare const init: AudioWasm["default"];
export default init;
export declare const SpeechLoader: AudioWasm["SpeechLoader"];
export declare const VoiceListener: AudioWasm["VoiceListener"];
export declare function decodeWav(bytes: Uint8Array): Float32Array;
export declare function resample(samples: Float32Array, rate: number): Float32Array;
export declare function subtitles(kind: "srt" | "vtt", segments: string): string;
