/** The text that is translated as it is written: its languages, the request that runs, and what has come of it. */
import { batch, computed, signal } from "@preact/signals";
import { apiOf, type Backend, type TranslationLanguages, type Translations } from "hearth-llm";
import { backend } from "../state/model.js";
import { placeOf } from "../state/place.js";
import { change, settings } from "../state/settings.js";
import { language } from "../text/index.js";
import { known } from "./languages.js";

/** Pause in typing after which the text is translated. */
const PAUSE_MS = 500;

export type Phase =
  /** `asks`: for the language of the text. `ready`: until the visitor asks for it, as the text goes to a server. */
  | { name: "empty" | "asks" | "ready" | "waiting" | "translating" | "done" | "cut" | "stopped" }
  | { name: "failed"; error: unknown };

export const text = signal("");
export const translation = signal("");
export const phase = signal<Phase>({ name: "empty" });
/** Languages of the running model; undefined until they are known. */
export const languages = signal<TranslationLanguages | undefined>(undefined);

/** Code of the text's language; empty to let the model find out. */
export const from = computed(() => known(settings.value.translateFrom, languages.value?.sources));
/** Code of the translation's language: the page's own until another one is chosen. */
export const to = computed(() => {
  const { translateTo } = settings.value;
  const own = language.value === "zh-CN" ? "zh" : "en";
  const targets = languages.value?.targets;
  return known(translateTo === "" ? own : translateTo, targets) || known("en", targets) || (targets?.[0] ?? "en");
});

/** Whether texts are translated as they are typed: those that go to a server are not sent with each pause. */
export const isLive = computed(() => backend.value !== undefined && placeOf(backend.value).where !== "server");

const apis = new WeakMap<Backend, Translations>();
let controller: AbortController | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Takes the running model; what it was asked before is asked again. */
export async function useModel(): Promise<void> {
  const running = backend.peek();
  const found = running === undefined ? undefined : await translationsOf(running).languages();
  if (running !== backend.peek()) return;
  languages.value = found;
  schedule();
}

export function edit(changed: string): void {
  text.value = changed;
  schedule();
}

export function choose(changes: { from?: string; to?: string }): void {
  const { from: translateFrom, to: translateTo } = changes;
  change({
    ...(translateFrom === undefined ? {} : { translateFrom }),
    ...(translateTo === undefined ? {} : { translateTo }),
  });
  schedule();
}

/** Translates the translation back. */
export function swap(): void {
  const [source, target] = [from.peek(), to.peek()];
  // A language that was found out is not known here.
  const other = target === "en" ? "zh" : "en";
  batch(() => {
    if (translation.peek() !== "") text.value = translation.peek();
    translation.value = "";
    choose({ from: target, to: source === "" ? other : source });
  });
}

/** Translates at once what is there. */
export function translateNow(): void {
  stop();
  const running = backend.peek();
  if (running === undefined || text.peek().trim() === "") return;
  if (languages.peek()?.needsSource === true && from.peek() === "") phase.value = { name: "asks" };
  else void run(translationsOf(running));
}

/** Ends the request that runs; what it has brought stays. */
export function stop(): void {
  clearTimeout(timer);
  controller?.abort();
  controller = undefined;
}

/** Stops at the visitor's wish. */
export function halt(): void {
  stop();
  phase.value = { name: "stopped" };
}

function schedule(): void {
  stop();
  if (text.peek().trim() === "" || backend.peek() === undefined) {
    batch(() => {
      translation.value = "";
      phase.value = { name: "empty" };
    });
    return;
  }
  phase.value = { name: isLive.peek() ? "waiting" : "ready" };
  if (isLive.peek()) timer = setTimeout(translateNow, PAUSE_MS);
}

async function run(translations: Translations): Promise<void> {
  const own = new AbortController();
  controller = own;
  phase.value = { name: "translating" };
  const [input, source, target] = [text.peek(), from.peek(), to.peek()];
  let [shown, isCut] = ["", false];
  try {
    const params = { input, target, stream: true as const, signal: own.signal };
    const stream = await translations.create(source === "" ? params : { ...params, source });
    for await (const event of stream) {
      if (own.signal.aborted) return;
      // The last translation stays until there is a new one.
      if (event.type === "translation.text.delta") translation.value = shown += event.delta;
      if (event.type !== "translation.text.done") continue;
      translation.value = event.text;
      isCut = event.finish_reason !== "stop";
    }
    if (!own.signal.aborted) phase.value = { name: isCut ? "cut" : "done" };
  } catch (error) {
    if (own.signal.aborted) return;
    phase.value = { name: "failed", error };
    // A model may be known for what it is only when it has refused.
    languages.value = await translations.languages().catch(() => languages.peek());
  }
}

function translationsOf(running: Backend): Translations {
  let found = apis.get(running);
  if (found === undefined) apis.set(running, (found = apiOf(running).translations));
  return found;
}
