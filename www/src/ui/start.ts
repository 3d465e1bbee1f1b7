/** From a chosen model to one that loads. */
import { areModel } from "../lib/model-files.js";
import * as model from "../state/model.js";
import { choiceOf, look, plan } from "../state/plan.js";
import { screen } from "../state/screen.js";
import { protect } from "../state/storage.js";
import { showToast } from "../state/toast.js";
import { t } from "../text/index.js";
import { closeDialog, dialog } from "./dialogs.js";

export function start(choice: model.Choice): void {
  // Asked, so that a browser short of room clears something else first; where it refuses, all works as before.
  void protect();
  closeDialog();
  void model.load(choice);
}

/**
 * A file is a model; several are one too, split or as safetensors with their texts. What fits starts at once, unless another
 * model runs or loads: then the picker's button is the question whether it shall give way.
 */
export async function pickFiles(files: File[]): Promise<void> {
  const [file] = files;
  if (file === undefined) return;
  if (!(await areModel(files))) {
    showToast({ text: t().notModel(file.name) });
    return;
  }
  if (screen.value !== "welcome") dialog.value = "models";
  const source = files.length === 1 ? file : files;
  const fit = await look(source);
  // Something else was chosen meanwhile.
  if (plan.value.name === "none" || plan.value.source !== source) return;
  const { name } = model.model.value;
  if (fit?.verdict === "fits" && name !== "running" && name !== "loading") start(choiceOf(source));
}
