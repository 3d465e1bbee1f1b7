/** The composer's ways to add pictures, where the model sees: from files and from the camera. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { canSee } from "../state/pictures.js";
import { t } from "../text/index.js";
import { dialog } from "./dialogs.js";
import { Icon, IconButton } from "./icons.js";
import { pastedPictures, takePictures } from "./take-pictures.js";

export function PictureButtons(): JSX.Element | null {
  usePaste();
  if (!canSee.value) return null;
  // A phone's own camera takes better pictures than a page can.
  const isTouch = matchMedia("(hover: none) and (pointer: coarse)").matches;
  return (
    <>
      <PictureInput id="picture-file" icon="picture" label={t().addPictures} multiple />
      {isTouch ? (
        <PictureInput id="picture-capture" icon="camera" label={t().takePicture} capture />
      ) : (
        <IconButton
          id="open-camera"
          name="camera"
          label={t().takePicture}
          onClick={() => {
            dialog.value = "camera";
          }}
        />
      )}
    </>
  );
}

function PictureInput({
  id,
  icon,
  label,
  multiple = false,
  capture = false,
}: {
  id: string;
  icon: "picture" | "camera";
  label: string;
  multiple?: boolean;
  capture?: boolean;
}): JSX.Element {
  return (
    <label class="icon-button picture-input" title={label}>
      <input
        id={id}
        class="unseen"
        type="file"
        accept="image/*"
        multiple={multiple}
        aria-label={label}
        {...(capture ? { capture: "environment" } : {})}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          // Choosing the same file again must count as a choice.
          event.currentTarget.value = "";
          void takePictures(files, !capture);
        }}
      />
      <Icon name={icon} />
    </label>
  );
}

/** Takes pictures that are pasted anywhere but into another field, as they are dropped: with a message where none is taken. */
function usePaste(): void {
  useEffect(() => {
    const onPaste = (event: ClipboardEvent): void => {
      const { clipboardData: pasted, target } = event;
      const isInOther = target instanceof Element && target.matches("input, textarea:not(#prompt)");
      if (pasted === null || isInOther || document.querySelector("dialog[open]") !== null) return;
      const pictures = pastedPictures({
        files: pasted.files,
        types: pasted.types,
        getData: (type) => pasted.getData(type),
      });
      if (pictures.length === 0) return;
      event.preventDefault();
      // Browsers call every copied picture the same; a file that was copied has its own name.
      void takePictures(pictures, !pictures.every(({ name }) => /^image\.\w+$/.test(name)));
    };
    document.addEventListener("paste", onPaste);
    return () => {
      document.removeEventListener("paste", onPaste);
    };
  }, []);
}
