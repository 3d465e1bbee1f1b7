/** A picture, as large as the window allows. */
import type { JSX } from "preact";
import { describePicture } from "../state/add-pictures.js";
import { altOf } from "../state/picture-files.js";
import { draftPictures, shownPicture, type ShownPicture } from "../state/pictures.js";
import { p } from "../text/pictures.js";
import { Dialog } from "./Dialog.js";
import { closeDialog } from "./dialogs.js";
import { useAddress, useFile } from "./use-picture.js";
import "../styles/pictures.css";

export function PictureDialog(): JSX.Element | null {
  const shown = shownPicture.value;
  if (shown === undefined) return null;
  const { conversation, part, index } = shown;
  return (
    <Dialog id="picture" title={part.name || altOf(part, index)} onClose={closeDialog}>
      {conversation === undefined ? <Draft shown={shown} /> : <Sent shown={shown} conversation={conversation} />}
    </Dialog>
  );
}

function Sent({ shown: { part, index }, conversation }: { shown: ShownPicture; conversation: string }): JSX.Element {
  const blob = useFile(conversation, part.file);
  if (blob === null) return <p>{p().missing}</p>;
  return (
    <>
      <Large blob={blob} alt={altOf(part, index)} />
      {part.alt !== undefined && <p class="muted small wrap">{part.alt}</p>}
    </>
  );
}

/** A picture that is not sent yet: its description can be changed. */
function Draft({ shown: { part, index } }: { shown: ShownPicture }): JSX.Element | null {
  const found = draftPictures.value.find((picture) => picture.part.file === part.file);
  if (found === undefined) return null;
  return (
    <>
      <Large blob={found.blob} alt={altOf(found.part, index)} />
      <label class="field">
        <span>{p().description}</span>
        <input
          id="picture-description"
          type="text"
          maxLength={500}
          defaultValue={found.part.alt ?? ""}
          onChange={(event) => void describePicture(part.file, event.currentTarget.value)}
        />
      </label>
    </>
  );
}

function Large({ blob, alt }: { blob: Blob | undefined; alt: string }): JSX.Element {
  const url = useAddress(blob);
  return <div class="large-picture">{url !== undefined && <img src={url} alt={alt} />}</div>;
}
