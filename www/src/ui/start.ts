/** Takes a chosen model and starts loading it. */
import type { Choice } from "../state/choice.js";
import * as model from "../state/model.js";
import { choiceOf, isKeptWhole, lastChoice, look, plan } from "../state/plan.js";
import { screen } from "../state/screen.js";
import { protect } from "../state/storage.js";
import { closeDialog, dialog } from "./dialogs.js";

export function start(choice: Choice): void {
  // Asked so that a browser short of room clears other data first; if it refuses, everything works as before.
  void protect();
  closeDialog();
  void model.load(choice);
}

/** Loads the model that ran last for a message that waits, if that takes no download and did not crash the tab. */
export function wakeForMessage(): void {
  const choice = lastChoice();
  if (model.model.value.name !== "none" || model.isStarting.value || model.lastLoadCrashed()) return;
  if (typeof choice.source === "string" && isKeptWhole(choice.source)) void model.load(choice);
}

/**
 * Looks at a model's files: one file is a model, and so are several, if split or if they are safetensors with their
 * text files. A model that fits starts at once, unless another one is running or loading: then the picker's button asks
 * whether to replace it.
 */
export async function pickModel(files: File[]): Promise<void> {
  const [file] = files;
  if (file === undefined) return;
  if (screen.value !== "welcome") dialog.value = "models";
  const source = files.length === 1 ? file : files;
  const fit = await look(source);
  // Something else was chosen in the meantime.
  if (plan.value.name === "none" || plan.value.source !== source) return;
  const { name } = model.model.value;
  if (fit?.verdict === "fits" && name !== "running" && name !== "loading") start(choiceOf(source));
}
