/** Valid reasons for skipping a test, by name. `skips-reporter.ts` treats any other reason as a failure. */
export const SKIPS = {
  fake: "the page runs on the fake core, which computes, keeps and measures nothing",
  SmolLM2: "SmolLM2 is not at hand (HEARTH_SMOLLM2 is not set)",
  "Gemma 3 270M": "Gemma 3 270M is not at hand (cargo xtask test --full fetches it)",
  Whisper: "Whisper tiny.en and a recording are not at hand (HEARTH_WHISPER_TINY_EN, HEARTH_SPEECH_WAV)",
  "llama.cpp": "llama.cpp's server is not at hand (HEARTH_XLLAMACPP is not set)",
  isolated: "no isolated server is at hand (HEARTH_ISOLATED_URL is not set)",
  docs: "the documentation site is not built (cargo xtask docs)",
} as const;
