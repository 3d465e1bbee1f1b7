/**
 * A short list of models, small to large, for visitors who have none in mind. Sizes are rounded; the panel shows the
 * exact ones.
 */

import type { Sampling } from "./presets.js";

export interface CatalogEntry {
  id: string;
  name: string;
  /** The source to pass to `Engine.create`. */
  source: string;
  /** Approximate download size in bytes, with the projector of a model that sees. */
  bytes: number;
  /**
   * Bytes on the device beside the weights: keys and values of a token in f16, and states and working memory. A native test
   * compares them with what the core says of models of these shapes.
   */
  needs: { token: number; work: number };
  licence: string;
  licenceUrl: string;
  /** Sampling recommended by the model's makers: its `generation_config.json`, or else its model card. */
  sampling: Partial<Sampling>;
  /** Codes of the languages that its makers name; "many" for a hundred and more. */
  languages: readonly string[] | "many";
  /** Key of the text that describes what the model is good for. */
  about: "tiny" | "small" | "sees" | "fast" | "multilingual" | "allround" | "strong" | "large" | "reasoning";
}

/**
 * The model offered to a new visitor, first in the list. A host may serve it from another address, which is set at
 * build time.
 */
export const DEFAULT_MODEL =
  (import.meta.env.VITE_DEFAULT_MODEL as string | undefined) ?? "/models/smollm2-135m-instruct-q4_1.gguf";

const QWEN3 = { temperature: 0.6, top_p: 0.95, top_k: 20 };
const LLAMA3 = { temperature: 0.6, top_p: 0.9 };

const APACHE = { licence: "Apache-2.0", licenceUrl: "https://www.apache.org/licenses/LICENSE-2.0" };

export const CATALOG: readonly CatalogEntry[] = [
  {
    id: "smollm2-135m",
    name: "SmolLM2 135M Instruct",
    source: DEFAULT_MODEL,
    bytes: 98_362_432,
    needs: { token: 23_040, work: 17_694_720 },
    ...APACHE,
    sampling: { temperature: 0.2, top_p: 0.9 },
    languages: ["en"],
    about: "tiny",
  },
  {
    id: "bonsai-1.7b",
    name: "Bonsai 1.7B (1 bit)",
    source: "prism-ml/Bonsai-1.7B-gguf:Q1_0",
    bytes: 240e6,
    needs: { token: 114_688, work: 52_047_872 },
    ...APACHE,
    sampling: {},
    languages: ["en"],
    about: "small",
  },
  {
    id: "qwen3.5-0.8b",
    name: "Qwen3.5 0.8B",
    source: "unsloth/Qwen3.5-0.8B-GGUF:Q4_K_M",
    bytes: 533e6,
    needs: { token: 12_288, work: 209_621_504 },
    ...APACHE,
    sampling: {},
    languages: "many",
    about: "small",
  },
  {
    id: "smolvlm2-500m",
    name: "SmolVLM2 500M",
    source: "ggml-org/SmolVLM2-500M-Video-Instruct-GGUF:Q8_0",
    bytes: 436_808_704 + 199_470_624,
    needs: { token: 40_960, work: 28_446_720 },
    ...APACHE,
    sampling: {},
    languages: ["en"],
    about: "sees",
  },
  {
    id: "qwen3-0.6b",
    name: "Qwen3 0.6B",
    source: "Qwen/Qwen3-0.6B-GGUF:Q8_0",
    bytes: 640e6,
    needs: { token: 114_688, work: 40_513_536 },
    ...APACHE,
    sampling: QWEN3,
    languages: "many",
    about: "reasoning",
  },
  {
    id: "lfm2.5-1.2b",
    name: "LFM2.5 1.2B Instruct",
    source: "LiquidAI/LFM2.5-1.2B-Instruct-GGUF:Q4_K_M",
    bytes: 731e6,
    needs: { token: 12_288, work: 50_593_792 },
    licence: "LFM Open License",
    licenceUrl: "https://huggingface.co/LiquidAI/LFM2.5-1.2B-Instruct/blob/main/LICENSE",
    sampling: { temperature: 0.1, top_p: 0.1, top_k: 50, repetition_penalty: 1.05 },
    languages: ["en", "ar", "zh", "fr", "de", "ja", "ko", "es"],
    about: "fast",
  },
  {
    id: "llama-3.2-1b",
    name: "Llama 3.2 1B Instruct",
    source: "bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M",
    bytes: 808e6,
    needs: { token: 32_768, work: 49_979_392 },
    licence: "Llama 3.2 Community",
    licenceUrl: "https://www.llama.com/llama3_2/license/",
    sampling: LLAMA3,
    languages: ["en", "de", "fr", "it", "pt", "hi", "es", "th"],
    about: "fast",
  },
  {
    id: "gemma-3-1b",
    name: "Gemma 3 1B",
    source: "unsloth/gemma-3-1b-it-GGUF:Q4_K_M",
    bytes: 806e6,
    needs: { token: 26_624, work: 56_557_568 },
    licence: "Gemma",
    licenceUrl: "https://ai.google.dev/gemma/terms",
    sampling: { temperature: 1, top_p: 0.95, top_k: 64 },
    languages: ["en"],
    about: "fast",
  },
  {
    id: "qwen3-1.7b",
    name: "Qwen3 1.7B",
    source: "unsloth/Qwen3-1.7B-GGUF:Q4_K_M",
    bytes: 1.1e9,
    needs: { token: 114_688, work: 52_047_872 },
    ...APACHE,
    sampling: QWEN3,
    languages: "many",
    about: "reasoning",
  },
  {
    id: "qwen3.5-2b",
    name: "Qwen3.5 2B",
    source: "unsloth/Qwen3.5-2B-GGUF:Q4_K_M",
    bytes: 1_280_835_840,
    needs: { token: 12_288, work: 205_672_960 },
    ...APACHE,
    sampling: {},
    languages: "many",
    about: "allround",
  },
  {
    id: "smollm3-3b",
    name: "SmolLM3 3B",
    source: "ggml-org/SmolLM3-3B-GGUF:Q4_K_M",
    bytes: 1.92e9,
    needs: { token: 73_728, work: 49_455_104 },
    ...APACHE,
    sampling: { temperature: 0.6, top_p: 0.95 },
    languages: ["en", "fr", "es", "de", "it", "pt"],
    about: "allround",
  },
  {
    id: "ministral-3-3b",
    name: "Ministral 3 3B Instruct",
    source: "mistralai/Ministral-3-3B-Instruct-2512-GGUF:Q4_K_M",
    bytes: 2_147_023_008,
    needs: { token: 106_496, work: 51_380_224 },
    ...APACHE,
    // (its makers advise a temperature below 0.1)
    sampling: { temperature: 0.05 },
    languages: ["en", "fr", "es", "de", "it", "pt", "nl", "zh", "ja", "ko", "ar"],
    about: "multilingual",
  },
  {
    id: "qwen3-4b",
    name: "Qwen3 4B",
    source: "Qwen/Qwen3-4B-GGUF:Q4_K_M",
    bytes: 2.5e9,
    needs: { token: 147_456, work: 51_523_584 },
    ...APACHE,
    sampling: QWEN3,
    languages: "many",
    about: "strong",
  },
  {
    id: "qwen3.5-4b",
    name: "Qwen3.5 4B",
    source: "unsloth/Qwen3.5-4B-GGUF:Q4_K_M",
    bytes: 2.7e9,
    needs: { token: 32_768, work: 418_494_464 },
    ...APACHE,
    sampling: {},
    languages: "many",
    about: "strong",
  },
  {
    id: "gemma-4-e2b",
    name: "Gemma 4 E2B",
    source: "unsloth/gemma-4-E2B-it-GGUF:Q4_K_M",
    bytes: 3.2e9,
    needs: { token: 18_432, work: 42_205_184 },
    ...APACHE,
    sampling: { temperature: 1, top_p: 0.95, top_k: 64 },
    languages: "many",
    about: "multilingual",
  },
  {
    id: "llama-3.1-8b",
    name: "Llama 3.1 8B Instruct",
    source: "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M",
    bytes: 4.92e9,
    needs: { token: 131_072, work: 54_435_840 },
    licence: "Llama 3.1 Community",
    licenceUrl: "https://www.llama.com/llama3_1/license/",
    sampling: LLAMA3,
    languages: ["en", "de", "fr", "it", "pt", "hi", "es", "th"],
    about: "large",
  },
];

/** Returns the entry of a model that is on the list. */
export function entryOf(source: unknown): CatalogEntry | undefined {
  return CATALOG.find((known) => known.source === source);
}

/** Parses what the visitor enters as a model: an address, a page of Hugging Face, or a repository's name. */
export function toSource(text: string): string {
  const found = CATALOG.find(({ id }) => id === text.trim());
  return found?.source ?? text.trim();
}
