/**
 * The text being written, kept separately for each conversation: it survives switching to another one, a reload and a
 * crash.
 */
import { computed, effect, signal } from "@preact/signals";
import { withWords } from "../lib/words.js";
import { current } from "./chat.js";
import { opened } from "./store.js";

export const draft = signal("");

const SAVE_MS = 300;
/** Key of the draft; a new conversation has no id yet. */
export const place = computed(() => current.value?.id ?? "");
let unsaved: { id: string; text: string } | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

export function write(text: string): void {
  draft.value = text;
  unsaved = { id: place.value, text };
  clearTimeout(timer);
  timer = setTimeout(save, SAVE_MS);
}

/** Puts words at the end of a draft, whichever conversation is on the screen. */
export async function append(id: string, words: string): Promise<void> {
  if (id === place.value) {
    write(withWords(draft.value, words));
    return;
  }
  const store = await opened();
  const text = await store.draft(id);
  // Opened in the meantime.
  if (id === place.value) write(withWords(draft.value || text, words));
  else await store.putDraft(id, withWords(text, words)).catch(() => undefined);
}

/** Shows the draft of each conversation that is opened. */
export function keepDrafts(): void {
  effect(() => {
    const id = place.value;
    save();
    draft.value = "";
    void show(id);
  });
  addEventListener("pagehide", save);
}

async function show(id: string): Promise<void> {
  const text = await (await opened()).draft(id);
  // Text typed in the meantime is newer.
  if (place.value === id && draft.value === "" && unsaved === undefined) draft.value = text;
}

function save(): void {
  clearTimeout(timer);
  const last = unsaved;
  unsaved = undefined;
  // The disk is full: the draft lasts as long as the page.
  if (last !== undefined) void opened().then((store) => store.putDraft(last.id, last.text).catch(() => undefined));
}
