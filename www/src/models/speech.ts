/** The speech models that the page offers: small ones, since each is heard with on the visitor's own device. */

export interface SpeechOffer {
  name: string;
  /** The source to pass to `Transcriber.create`. */
  source: string;
  /** Size of the download in bytes. */
  bytes: number;
  /** Number of languages that the model knows; 1 is English. */
  languages: number;
}

const GGML = "https://huggingface.co/ggerganov/whisper.cpp/resolve/main";

export const SPEECH_OFFERS: readonly SpeechOffer[] = [
  { name: "Whisper tiny", source: `${GGML}/ggml-tiny.en-q5_1.bin`, bytes: 32_166_155, languages: 1 },
  { name: "Whisper base", source: `${GGML}/ggml-base-q5_1.bin`, bytes: 59_707_625, languages: 99 },
];

/** Page with the licence of these models. */
export const SPEECH_LICENCE = { name: "MIT", url: "https://github.com/openai/whisper/blob/main/LICENSE" };
