/** The dialog that is open. */
import { signal } from "@preact/signals";

export const dialog = signal<"settings" | "performance" | "models" | "documents" | "passage" | "speech" | undefined>(
  undefined,
);

export function closeDialog(): void {
  dialog.value = undefined;
}
