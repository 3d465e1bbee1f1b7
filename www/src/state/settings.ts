/** What the visitor chose, kept in localStorage. */
import type { EngineOptions } from "hearth";
import { computed, effect, signal } from "@preact/signals";
import { params } from "../params.js";

export type Theme = "auto" | "light" | "dark";
export type Language = "auto" | "en" | "zh-CN";

/** Fields of a request; absent ones are the engine's defaults. */
export interface Sampling {
  temperature: number;
  top_p: number;
  top_k: number;
  min_p: number;
  repetition_penalty: number;
  /** 0: as long as the context holds. */
  max_tokens: number;
}

export type PresetName = "precise" | "balanced" | "creative";

/** Balanced is a little below the neutral 1: small models wander there. */
export const PRESETS: Record<PresetName, Sampling> = {
  precise: { temperature: 0.2, top_p: 0.9, top_k: 0, min_p: 0, repetition_penalty: 1, max_tokens: 0 },
  balanced: { temperature: 0.6, top_p: 0.9, top_k: 0, min_p: 0, repetition_penalty: 1, max_tokens: 0 },
  creative: { temperature: 1, top_p: 0.95, top_k: 0, min_p: 0.05, repetition_penalty: 1.05, max_tokens: 0 },
};

/** What a screen reader hears of an answer: its sentences as they come, that it is finished, or nothing. */
export type Announce = "sentences" | "end" | "off";

export interface Settings {
  theme: Theme;
  language: Language;
  announce: Announce;
  /** For new conversations. */
  system: string;
  sampling: Sampling;
  /** The model that ran last, by its address; empty for none or for files. */
  model: string;
  modelOptions: Pick<EngineOptions, "contextSize" | "kvType" | "quantize">;
  /** For models that Hugging Face gives to those only who have agreed to their licence; sent there and nowhere else. */
  hubToken: string;
}

const KEY = "hearth.settings";
const DEFAULTS: Settings = {
  theme: "auto",
  language: "auto",
  announce: "sentences",
  system: "",
  sampling: PRESETS.balanced,
  model: "",
  modelOptions: {},
  hubToken: "",
};

export const settings = signal<Settings>(read());

export function change(changes: Partial<Settings>): void {
  settings.value = { ...settings.value, ...changes };
}

/** The preset that the values are those of; undefined for values of one's own. */
export const preset = computed((): PresetName | undefined => {
  const own = JSON.stringify(settings.value.sampling);
  return (Object.keys(PRESETS) as PresetName[]).find((name) => JSON.stringify(PRESETS[name]) === own);
});

/** What a request gets: the settings, and over them what the address says. */
export function requestSampling(): Partial<Sampling> & { seed?: number } {
  const { max_tokens, ...sampling } = settings.value.sampling;
  return { ...sampling, ...(max_tokens > 0 ? { max_tokens } : {}), ...params.sampling };
}

function read(): Settings {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Settings>;
    return { ...DEFAULTS, ...kept, sampling: { ...DEFAULTS.sampling, ...kept.sampling } };
  } catch {
    return DEFAULTS;
  }
}

/** Keeps changes, and shows those that are the page's. */
export function applySettings(): void {
  effect(() => {
    const { theme } = settings.value;
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, JSON.stringify(settings.value));
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  });
}
