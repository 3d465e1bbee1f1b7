/** Pictures on their way into the message: dropped, pasted, chosen or taken by a phone. */
import { pictureFailures } from "../state/pictures.js";
import { screen } from "../state/screen.js";
import { showToast } from "../state/toast.js";
import { t } from "../text/index.js";
import { dialog } from "./dialogs.js";

export async function takePictures(files: readonly File[], isNamed = true): Promise<void> {
  try {
    if (screen.peek() === "chat") {
      const { addPictures } = await import("../state/add-pictures.js");
      await addPictures(files, isNamed);
      return;
    }
    // There is no message to add them to.
    const { p } = await import("../text/pictures.js");
    const open = (): void => {
      dialog.value = "models";
    };
    const offer = { action: { label: t().otherModel, run: open } };
    // The welcome is the list of models.
    showToast({ text: p().noModel, ...(screen.peek() === "welcome" ? {} : offer) });
  } catch (error) {
    // Without a network the program's part may be missing.
    pictureFailures.value = [{ fault: "broken", names: [], error }];
  }
}

/**
 * Returns the pictures that are pasted; none where there is a text too, as from a table or a letter, unless it is only the
 * names of the files.
 */
export function pastedPictures({ files, types, getData }: Pasted): File[] {
  const pictures = [...files].filter(({ type }) => type.startsWith("image/"));
  if (pictures.length === 0 || !types.includes("text/plain")) return pictures;
  const text = getData("text/plain").trim();
  const names = [...files].map(({ name }) => name);
  return text === "" || text.split(/\r?\n/).every((line) => names.some((name) => line.endsWith(name))) ? pictures : [];
}

interface Pasted {
  files: Iterable<File>;
  types: readonly string[];
  getData: (type: string) => string;
}
