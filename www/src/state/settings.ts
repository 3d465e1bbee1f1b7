/** What the visitor chose, kept in localStorage. */
import type { EngineOptions } from "hearth";
import { effect, signal } from "@preact/signals";
import type { Sampling } from "./sampling.js";

export type Theme = "auto" | "light" | "dark";
export type Language = "auto" | "en" | "zh-CN";

/** Sizes of graphics memory to choose from; 0 is none of them. */
export const MEMORIES = [0, 4, 8, 12, 16, 24];

/** What a screen reader hears of an answer: its sentences as they come, that it is finished, or nothing. */
export type Announce = "sentences" | "end" | "off";

export interface Settings {
  theme: Theme;
  language: Language;
  announce: Announce;
  /** For new conversations. */
  system: string;
  /** How words are chosen, for each model by its address or name. */
  samplings: Record<string, Partial<Sampling>>;
  /** Of the graphics card, in GB; 0 where the page shall find out what it can. */
  memory: number;
  /** The model that ran last, by its address; empty for none or for files. */
  model: string;
  modelOptions: Pick<EngineOptions, "contextSize" | "kvType" | "quantize">;
  /** For models that Hugging Face gives to those only who have agreed to their licence; sent there and nowhere else. */
  hubToken: string;
  /** The token is forgotten with the page. */
  isTokenBrief: boolean;
  /** That the browser may clear everything has been said. */
  isWarned: boolean;
}

const KEY = "hearth.settings";
const DEFAULTS: Settings = {
  theme: "auto",
  language: "auto",
  announce: "sentences",
  system: "",
  samplings: {},
  memory: 0,
  model: "",
  modelOptions: {},
  hubToken: "",
  isTokenBrief: false,
  isWarned: false,
};

export const settings = signal<Settings>(read());

/** Writes down these fields only: another tab may have changed others. */
export function change(changes: Partial<Settings>): void {
  settings.value = { ...settings.value, ...changes };
  try {
    const { hubToken, isTokenBrief } = settings.value;
    const isOfToken = "hubToken" in changes || "isTokenBrief" in changes;
    const token = isOfToken ? { hubToken: isTokenBrief ? "" : hubToken } : {};
    localStorage.setItem(KEY, JSON.stringify({ ...kept(), ...changes, ...token }));
  } catch {
    // Without storage the choice lasts as long as the page.
  }
}

function read(): Settings {
  return { ...DEFAULTS, ...kept() };
}

/** What is on the disk; nothing where it is refused or is no JSON. */
function kept(): Partial<Settings> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Settings>;
  } catch {
    return {};
  }
}

/** Follows what other tabs change, and shows what is the page's. */
export function applySettings(): void {
  addEventListener("storage", ({ key }) => {
    if (key !== KEY) return;
    const { hubToken, isTokenBrief } = settings.value;
    settings.value = { ...read(), ...(isTokenBrief ? { hubToken, isTokenBrief } : {}) };
  });
  effect(() => {
    const { theme } = settings.value;
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  });
}
