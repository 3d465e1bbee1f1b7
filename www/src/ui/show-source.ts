/** Shows a source of an answer in its document. */
import { batch } from "@preact/signals";
import { shownSource, type ShownSource } from "../state/documents.js";
import { dialog } from "./dialogs.js";

export function showSource(source: ShownSource): void {
  batch(() => {
    shownSource.value = source;
    dialog.value = "passage";
  });
}
