/**
 * The pictures of the message being written, which survive as its text does. What checks new ones (`add-pictures.ts`)
 * and the camera are fetched when they are used for the first time.
 */
import { computed, effect, signal } from "@preact/signals";
import type { DraftPicture } from "../store/db.js";
import type { FilePart } from "../store/parts.js";
import { place } from "./draft.js";
import { backend } from "./model.js";
import type { PictureFailure } from "./picture-failure.js";
import { sees } from "./picture-files.js";
import { opened } from "./store.js";

/** Most pictures of one message, and most bytes of one picture. */
export const MOST_PICTURES = 10;
export const MOST_BYTES = 20e6;

/** Pictures of the message being written, in the order in which they are sent. */
export const draftPictures = signal<readonly DraftPicture[]>([]);
/** Why pictures were not taken, until the visitor has read it. */
export const pictureFailures = signal<readonly PictureFailure[]>([]);

/** Whether the running model sees pictures. */
export const canSee = computed(() => backend.value !== undefined && sees(backend.value));

/** Changes the pictures of a draft, whichever conversation is on the screen. */
export async function changeDraft(
  id: string,
  change: (pictures: readonly DraftPicture[]) => readonly DraftPicture[],
): Promise<void> {
  let next: readonly DraftPicture[] | undefined;
  if (id === place.peek()) draftPictures.value = next = change(draftPictures.peek());
  const store = await opened();
  // The disk is full: the pictures last as long as the page.
  await store.putDraftPictures(id, next ?? change(await store.draftPictures(id))).catch(() => undefined);
}

/** Takes the pictures out of the draft, to be sent. */
export function takeDraft(): readonly DraftPicture[] {
  const pictures = draftPictures.peek();
  if (pictures.length > 0) void changeDraft(place.peek(), () => []);
  pictureFailures.value = [];
  return pictures;
}

/** Shows the pictures of each draft that is opened. */
export function keepDraftPictures(): void {
  effect(() => {
    const id = place.value;
    draftPictures.value = [];
    pictureFailures.value = [];
    void show(id);
  });
}

async function show(id: string): Promise<void> {
  const kept = await (await opened()).draftPictures(id).catch(() => []);
  if (place.peek() !== id || kept.length === 0) return;
  // Some may have been added in the meantime.
  const added = draftPictures.peek().filter(({ part }) => !kept.some((one) => one.part.file === part.file));
  draftPictures.value = [...kept, ...added];
  if (added.length > 0) await changeDraft(id, (pictures) => pictures);
}

/** A picture that is shown large: the one at `index` among those of its message. */
export interface ShownPicture {
  /** Id of the conversation; undefined if it is not sent yet. */
  conversation: string | undefined;
  part: FilePart;
  index: number;
}

export const shownPicture = signal<ShownPicture | undefined>(undefined);
