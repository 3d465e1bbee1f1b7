/** The pictures of the message being written, and why others were not taken. */
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { removePicture } from "../state/add-pictures.js";
import { canSee, draftPictures, pictureFailures } from "../state/pictures.js";
import { t } from "../text/index.js";
import { p } from "../text/pictures.js";
import { dialog } from "./dialogs.js";
import type { ErrorAction } from "./ErrorCard.js";
import { PictureFaults } from "./PictureFaults.js";
import { Thumbnail } from "./Thumbnail.js";
import "../styles/pictures.css";

export function PictureStrip(): JSX.Element {
  const list = useRef<HTMLUListElement>(null);
  const pictures = draftPictures.value;
  const failures = pictureFailures.value;
  const remove = (hash: string, index: number): void => {
    void removePicture(hash).then(() => {
      // The button that had the focus is gone: the next one has it, or else the message.
      const buttons = list.current?.querySelectorAll<HTMLElement>(".icon-button") ?? [];
      const next = buttons[Math.min(index, buttons.length - 1)] ?? document.querySelector<HTMLElement>("#prompt");
      next?.focus();
    });
  };
  return (
    <section id="pictures" class="picture-strip" aria-label={p().ofMessage}>
      {pictures.length > 0 && (
        <ul ref={list} class="pictures">
          {pictures.map(({ part, blob }, index) => (
            <li key={part.file}>
              <Thumbnail
                shown={{ conversation: undefined, part, index }}
                blob={blob}
                onRemove={() => {
                  remove(part.file, index);
                }}
              />
            </li>
          ))}
        </ul>
      )}
      {pictures.length > 0 && !canSee.value && <p class="muted small">{p().willBeLeftOut}</p>}
      {failures.length > 0 && <PictureFaults failures={failures} actions={actions()} />}
    </section>
  );
}

function actions(): ErrorAction[] {
  const dismiss = {
    label: p().dismiss,
    run: () => {
      pictureFailures.value = [];
      document.querySelector<HTMLElement>("#prompt")?.focus();
    },
  };
  if (!pictureFailures.value.some(({ fault }) => fault === "blind")) return [dismiss];
  const choose = {
    label: t().otherModel,
    run: () => {
      pictureFailures.value = [];
      dialog.value = "models";
    },
  };
  return [choose, dismiss];
}
