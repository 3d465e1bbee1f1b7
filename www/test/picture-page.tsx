/** The composer and the conversation on a page of happy-dom, with a model that sees. */
import type { Backend } from "hearth-llm";
import type { JSX } from "preact";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, vi } from "vitest";
import { newConversation } from "../src/state/chat.js";
import { keepDrafts, write } from "../src/state/draft.js";
import { model } from "../src/state/model.js";
import { changeDraft, draftPictures, keepDraftPictures, pictureFailures } from "../src/state/pictures.js";
import { change } from "../src/state/settings.js";
import { hideToast } from "../src/state/toast.js";
import { CameraDialog } from "../src/ui/CameraDialog.js";
import { Composer } from "../src/ui/Composer.js";
import { dialog } from "../src/ui/dialogs.js";
import { Log } from "../src/ui/Log.js";
import { PictureDialog } from "../src/ui/PictureDialog.js";
import { spokenBackend, type Voice } from "./backends.js";

/** The beginning of a PNG, with something behind it that makes it another picture. */
export function png(name: string, more = name): File {
  const bytes = Uint8Array.from(`\x89PNG\r\n\x1a\n${more}`, (one) => one.charCodeAt(0));
  return new File([bytes], name, { type: "image/png" });
}

export const find = (selector: string): HTMLElement | null => document.querySelector<HTMLElement>(selector);
export const all = (selector: string): HTMLElement[] => [...document.querySelectorAll<HTMLElement>(selector)];
const digest = vi.spyOn(crypto.subtle, "digest");

/** Waits until the page has done what it was asked, parts that it fetches and names of pictures included. */
export async function settle(): Promise<void> {
  let seen: number;
  do {
    seen = digest.mock.calls.length;
    // Drawing in one round may read files, fetch parts or set the focus in the next.
    for (let round = 0; round < 3; round++) {
      await act(async () => {
        await Promise.allSettled(digest.mock.results.map(({ value }) => value as Promise<ArrayBuffer>));
        await new Promise((resolve) => setTimeout(resolve, 10));
        await vi.dynamicImportSettled();
      });
    }
  } while (digest.mock.calls.length > seen);
}

export async function press(selector: string): Promise<void> {
  await act(() => {
    find(selector)?.click();
  });
  await settle();
}

/** Pastes files and texts, as the browser gives them; returns whether the page took them. */
export async function paste(files: File[], text?: string, target: EventTarget = document.body): Promise<boolean> {
  const event = new Event("paste", { bubbles: true, cancelable: true });
  const types = [...(text === undefined ? [] : ["text/plain"]), ...(files.length === 0 ? [] : ["Files"])];
  Object.assign(event, { clipboardData: { files, types, getData: () => text ?? "" } });
  target.dispatchEvent(event);
  await settle();
  return event.defaultPrevented;
}

/** Makes a backend the running model; `pictures` is whether it sees. */
export function run(backend: Backend, pictures: boolean): void {
  const { capabilities } = backend;
  const seeing = { ...backend, capabilities: { ...capabilities, pictures } };
  model.value = { name: "running", choice: { source: "fake", options: {} }, backend: seeing };
}

/** Answer of the model. */
export let voice: Voice;

function Page(): JSX.Element {
  return (
    <main>
      <Log />
      <Composer />
      {dialog.value === "picture" && <PictureDialog />}
      {dialog.value === "camera" && <CameraDialog />}
    </main>
  );
}

/** Draws the page before each test of a file, and forgets everything after it. */
export function usePage(): void {
  keepDrafts();
  keepDraftPictures();
  beforeEach(async () => {
    const { backend, ...others } = spokenBackend();
    voice = others;
    run(backend, true);
    await act(() => {
      render(<Page />, document.body);
    });
  });
  afterEach(async () => {
    await act(async () => {
      render(null, document.body);
      dialog.value = undefined;
      change({ language: "en", camera: "" });
      newConversation();
      write("");
      hideToast();
      pictureFailures.value = [];
      draftPictures.value = [];
      await changeDraft("", () => []);
    });
    vi.unstubAllGlobals();
  });
}
