/** The composer on a page of happy-dom, with a microphone and a model that a test dictates. */
import type { JSX } from "preact";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, vi } from "vitest";
import { newConversation } from "../src/state/chat.js";
import { dictation } from "../src/state/dictating.js";
import { keepDrafts, write } from "../src/state/draft.js";
import { model } from "../src/state/model.js";
import { change } from "../src/state/settings.js";
import { loadSpeech, unloadSpeech } from "../src/state/transcriber.js";
import { recordings, removeRecording } from "../src/state/transcripts.js";
import { Composer } from "../src/ui/Composer.js";
import { finishDictation } from "../src/ui/dictate.js";
import { dialog } from "../src/ui/dialogs.js";
// Parts that the composer fetches on demand are there at once.
import "../src/ui/DictationStrip.js";
import { SpeechDialog } from "../src/ui/SpeechDialog.js";
import { spokenBackend } from "./backends.js";
import { useMicrophones, type FakeMicrophones } from "./microphones.js";
import { FakeTranscriber, type Listening } from "./transcribers.js";

export let microphones: FakeMicrophones;

/** Typing by the browser itself, which happy-dom lacks. */
export const typing = vi.fn((_: string, __: boolean, text: string): boolean => {
  field().setRangeText(text);
  return field().dispatchEvent(new Event("input", { bubbles: true }));
});

export const find = (selector: string): HTMLElement | null => document.querySelector<HTMLElement>(selector);

export function field(): HTMLTextAreaElement {
  const found = document.querySelector<HTMLTextAreaElement>("#prompt");
  if (found === null) throw new Error("there is no message field");
  return found;
}

export const settle = (): Promise<void> => act(() => new Promise((resolve) => setTimeout(resolve, 30)));

export async function press(selector: string): Promise<void> {
  await act(() => {
    find(selector)?.click();
  });
  await settle();
}

export async function key(name: string): Promise<void> {
  await act(() => {
    field().dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
  });
  await settle();
}

/** Begins with a model that is there; returns what it hears. */
export async function begin(): Promise<Listening> {
  await loadSpeech("/models/whisper/");
  await press("#dictate");
  const listening = FakeTranscriber.last.listenings.at(-1);
  if (listening === undefined) throw new Error("nobody listens");
  return listening;
}

export async function hear(...events: (() => void)[]): Promise<void> {
  for (const event of events) event();
  await settle();
}

function Page(): JSX.Element {
  return (
    <main>
      <Composer />
      {dialog.value === "speech" && <SpeechDialog />}
    </main>
  );
}

/** Draws the page before each test of a file, and forgets everything after it. */
export function usePage(): void {
  keepDrafts();
  beforeEach(async () => {
    FakeTranscriber.created = [];
    FakeTranscriber.asked = [];
    FakeTranscriber.creating = undefined;
    microphones = useMicrophones();
    typing.mockClear();
    Object.assign(document, { execCommand: typing });
    model.value = { name: "running", choice: { source: "fake", options: {} }, backend: spokenBackend().backend };
    await act(() => {
      render(<Page />, document.body);
    });
  });
  afterEach(async () => {
    await finishDictation();
    for (const { key } of recordings.value) removeRecording(key);
    await act(() => {
      render(null, document.body);
      dictation.value = { name: "off" };
      dialog.value = undefined;
      unloadSpeech();
      change({ speechModel: "", speechLanguage: "", microphone: "", language: "en" });
      newConversation();
      write("");
    });
    vi.unstubAllGlobals();
  });
}
