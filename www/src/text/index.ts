/** The page's texts in the visitor's language. */
import { computed, effect } from "@preact/signals";
import { settings } from "../state/settings.js";
import { en } from "./en.js";
import { zh } from "./zh.js";

/** All texts, in the shape that a translation must have. */
export type Texts = typeof en;

export const language = computed((): "en" | "zh-CN" => {
  const chosen = settings.value.language;
  if (chosen !== "auto") return chosen;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
});

/** Code of the language in which the visitor writes, as far as the browser tells. */
export const visitorLanguage = computed((): string => {
  const chosen = settings.value.language;
  return (chosen === "auto" ? navigator.language : chosen).toLowerCase().split("-")[0] ?? "en";
});

const texts = computed((): Texts => (language.value === "zh-CN" ? zh : en));

/** Returns the texts; a component that reads them is rendered again when the language changes. */
export const t = (): Texts => texts.value;

export function applyLanguage(): void {
  effect(() => {
    document.documentElement.lang = language.value;
  });
}
