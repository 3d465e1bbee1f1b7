/** A small picture that opens larger. */
import { batch } from "@preact/signals";
import type { JSX } from "preact";
import { altOf } from "../state/picture-files.js";
import { shownPicture, type ShownPicture } from "../state/pictures.js";
import { p } from "../text/pictures.js";
import { dialog } from "./dialogs.js";
import { IconButton } from "./icons.js";
import { useAddress } from "./use-picture.js";

export function Thumbnail({
  shown,
  blob,
  onRemove,
}: {
  shown: ShownPicture;
  /** Undefined while it is being read, null if it is not there. */
  blob: Blob | null | undefined;
  onRemove?: () => void;
}): JSX.Element {
  const alt = altOf(shown.part, shown.index);
  const url = useAddress(blob ?? undefined);
  return (
    <>
      {blob === null ? (
        <span class="no-picture" role="img" aria-label={`${alt}: ${p().missing}`} title={p().missing}>
          {alt}
        </span>
      ) : (
        <button
          type="button"
          class="thumbnail"
          aria-label={p().show(alt)}
          title={alt}
          onClick={() => {
            batch(() => {
              shownPicture.value = shown;
              dialog.value = "picture";
            });
          }}
        >
          {url !== undefined && <img src={url} alt={alt} decoding="async" />}
        </button>
      )}
      {onRemove !== undefined && <IconButton name="close" label={p().remove(alt)} onClick={onRemove} />}
    </>
  );
}
