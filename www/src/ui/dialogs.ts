/** The dialog that is open. */
import { signal } from "@preact/signals";

export type DialogName =
  | "settings"
  | "performance"
  | "models"
  | "documents"
  | "passage"
  | "speech"
  | "translate"
  | "picture"
  | "camera"
  | "trust";

export const dialog = signal<DialogName | undefined>(undefined);

export function closeDialog(): void {
  dialog.value = undefined;
}
