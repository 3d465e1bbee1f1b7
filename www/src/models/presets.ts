/** Sampling that a visitor can choose by name. */

/** Sampling fields of a request; absent ones take the engine's defaults. */
export interface Sampling {
  temperature: number;
  top_p: number;
  top_k: number;
  min_p: number;
  repetition_penalty: number;
  /** Maximum length of an answer; 0 for as long as the context allows. */
  max_tokens: number;
}

export type PresetName = "own" | "precise" | "balanced" | "creative";

/** Values of each preset; the model's own sends nothing but what its makers recommend. */
export const PRESETS: Record<PresetName, Partial<Sampling>> = {
  own: {},
  precise: { temperature: 0.2, top_p: 0.9, top_k: 0, min_p: 0, repetition_penalty: 1, max_tokens: 0 },
  balanced: { temperature: 0.6, top_p: 0.9, top_k: 0, min_p: 0, repetition_penalty: 1, max_tokens: 0 },
  creative: { temperature: 1, top_p: 0.95, top_k: 0, min_p: 0.05, repetition_penalty: 1.05, max_tokens: 0 },
};
