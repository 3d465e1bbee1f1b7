/** Takes files as pictures of the message, or says why not. Loaded on demand. */
import { kindOf } from "../lib/file-kind.js";
import { canDraw } from "../lib/picture-check.js";
import type { DraftPicture } from "../store/db.js";
import { p } from "../text/pictures.js";
import { announce } from "./announce.js";
import { place } from "./draft.js";
import type { PictureFailure, PictureFault } from "./picture-failure.js";
import { altOf } from "./picture-files.js";
import { canSee, changeDraft, draftPictures, MOST_BYTES, MOST_PICTURES, pictureFailures } from "./pictures.js";
import { protect } from "./storage.js";

/** Types by the beginning of a file: what the sender says may be missing or wrong. */
const TYPES: readonly [RegExp, string][] = [
  [/^\x89PNG/, "image/png"],
  [/^\xff\xd8/, "image/jpeg"],
  [/^GIF8/, "image/gif"],
  [/^RIFF/, "image/webp"],
  [/^BM/, "image/bmp"],
  [/ftypavi[fs]/, "image/avif"],
  [/ftyp(hei[cx]|mif1)/, "image/heic"],
];

/**
 * Adds files to the message in their order. A file from the clipboard or the camera has a name that says nothing, so
 * `isNamed` is false for it.
 */
export async function addPictures(files: readonly File[], isNamed = true): Promise<void> {
  if (files.length === 0) return;
  if (!canSee.peek()) {
    pictureFailures.value = [{ fault: "blind", names: [] }];
    return;
  }
  const id = place.peek();
  const failed = new Map<PictureFault, string[]>();
  const fail = (fault: PictureFault, name: string): void => {
    failed.set(fault, [...(failed.get(fault) ?? []), name]);
  };
  // Asked for as with models: a browser short of room clears other sites first.
  void protect();
  const added: DraftPicture[] = [];
  for (const file of files) {
    const room = MOST_PICTURES - (id === place.peek() ? draftPictures.peek().length : 0) - added.length;
    const read = room > 0 ? await readPicture(file, isNamed ? file.name : "") : "too_many";
    if (typeof read === "string") fail(read, file.name);
    else added.push(read);
  }
  // A picture given twice tells the model nothing more.
  const isNew = ({ part }: DraftPicture, at: number, all: readonly DraftPicture[]): boolean =>
    all.findIndex((other) => other.part.file === part.file) === at;
  await changeDraft(id, (pictures) => [...pictures, ...added].filter(isNew).slice(0, MOST_PICTURES));
  pictureFailures.value = [...failed].map(([fault, names]): PictureFailure => ({ fault, names }));
  const names = draftPictures
    .peek()
    .flatMap(({ part }, index) => (added.some((one) => one.part.file === part.file) ? [altOf(part, index)] : []));
  if (names.length > 0) announce(p().added(names.join(p().comma), draftPictures.peek().length));
}

/** Returns a file as a picture, its bytes as they are, or why it is none. */
async function readPicture(file: File, name: string): Promise<DraftPicture | PictureFault> {
  if (file.size > MOST_BYTES) return "too_large";
  if ((await kindOf(file)) !== "image") return "not_a_picture";
  try {
    // Read now: the file may change on the disk, or be gone.
    const bytes = await file.arrayBuffer();
    const beginning = String.fromCharCode(...new Uint8Array(bytes.slice(0, 16)));
    const mime = TYPES.find(([pattern]) => pattern.test(beginning))?.[1];
    if (mime === undefined) return "not_a_picture";
    const blob = new Blob([bytes], { type: mime });
    if (!(await canDraw(blob))) return "unreadable";
    return { part: { type: "image", file: await sha256(bytes), name, mime }, blob };
  } catch {
    return "unreadable";
  }
}

async function sha256(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Takes a picture out of the message. */
export async function removePicture(hash: string): Promise<void> {
  const found = draftPictures.peek().findIndex(({ part }) => part.file === hash);
  const picture = draftPictures.peek()[found];
  if (picture === undefined) return;
  const name = altOf(picture.part, found);
  await changeDraft(place.peek(), (pictures) => pictures.filter(({ part }) => part.file !== hash));
  announce(p().removed(name));
}

/** Sets what a picture of the message shows, for those who do not see it; empty for its name. */
export async function describePicture(hash: string, text: string): Promise<void> {
  const alt = text.trim();
  await changeDraft(place.peek(), (pictures) =>
    pictures.map((picture) => {
      if (picture.part.file !== hash) return picture;
      const part = { ...picture.part };
      delete part.alt;
      return { ...picture, part: alt === "" ? part : { ...part, alt } };
    }),
  );
}
