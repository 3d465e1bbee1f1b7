/** The visitor's settings, kept in localStorage. */
import type { EngineOptions } from "hearth-llm";
import { effect, signal } from "@preact/signals";
import type { Sampling } from "../models/presets.js";
import type { ServerChoice } from "./choice.js";

export type Theme = "auto" | "light" | "dark";
export type Language = "auto" | "en" | "zh-CN";

/** Sizes of graphics memory to choose from, in GB; 0 leaves it unset. */
export const MEMORIES = [0, 4, 8, 12, 16, 24];

/** Parts of an answer that a screen reader announces: its sentences as they arrive, that it is finished, or nothing. */
export type Announce = "sentences" | "end" | "off";

export interface Settings {
  theme: Theme;
  language: Language;
  announce: Announce;
  /** Whether models that can think before they answer do so. */
  thinks: boolean;
  /** System prompt for new conversations. */
  system: string;
  /** Sampling for each model, keyed by its address or name. */
  samplings: Record<string, Partial<Sampling>>;
  /** Memory of the graphics card in GB; 0 to let the page find out what it can. */
  memory: number;
  /** Address of the model that ran last; empty for none or for local files. */
  model: string;
  modelOptions: Pick<EngineOptions, "contextSize" | "kvType" | "quantize">;
  /**
   * Token for models that Hugging Face gives only to those who have accepted their licence; sent there and nowhere
   * else.
   */
  hubToken: string;
  /** Whether the token is forgotten when the page is closed. */
  isTokenBrief: boolean;
  /** The server that answered last and its model; empty for none. */
  server: ServerChoice;
  /** Whether the model that ran last is on that server. */
  isOnServer: boolean;
  /** Keys of servers that the visitor wanted kept, by origin. */
  serverKeys: Readonly<Record<string, string>>;
  /** Number of documents in the library, so that a visit without a question to them need not open it. */
  documents: number;
  /** Whether questions to a model on this device go to the documents. */
  asksDocuments: boolean;
  /** Whether questions to a model elsewhere do, which sends passages there. */
  sendsDocuments: boolean;
  /** Whether documents are found by meaning as well, for which an embedder is fetched. */
  findsByMeaning: boolean;
  /** Address of the speech model that was loaded last; empty for none or for local files. */
  speechModel: string;
  /** Code of the language that the visitor speaks; empty to let the model find out. */
  speechLanguage: string;
  /** Codes of the languages to translate from, empty to let the model find out, and into, empty for the page's own. */
  translateFrom: string;
  translateTo: string;
  /** Id of the chosen microphone; empty for the one that the browser prefers. */
  microphone: string;
  /** Id of the chosen camera; empty for one that looks away from the visitor. */
  camera: string;
  /** Bytes of the largest model that ran on the GPU, and of the smallest that took the tab with it; 0 for none. */
  ran: number;
  crashed: number;
  /** Whether the visitor has been warned that the browser may clear everything. */
  isWarned: boolean;
}

const KEY = "hearth.settings";
const DEFAULTS: Settings = {
  theme: "auto",
  language: "auto",
  announce: "sentences",
  thinks: true,
  system: "",
  samplings: {},
  memory: 0,
  model: "",
  modelOptions: {},
  hubToken: "",
  isTokenBrief: false,
  server: { server: "", model: "" },
  isOnServer: false,
  serverKeys: {},
  documents: 0,
  asksDocuments: false,
  sendsDocuments: false,
  findsByMeaning: false,
  speechModel: "",
  speechLanguage: "",
  translateFrom: "",
  translateTo: "",
  microphone: "",
  camera: "",
  ran: 0,
  crashed: 0,
  isWarned: false,
};

export const settings = signal<Settings>(read());

/** Saves these fields only: another tab may have changed others. */
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

/** Returns the stored settings, or none if storage is refused or holds no JSON. */
function kept(): Partial<Settings> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Settings>;
  } catch {
    return {};
  }
}

/** Follows changes from other tabs, and applies the settings that affect the page. */
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
