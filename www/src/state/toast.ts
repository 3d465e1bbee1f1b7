/** One short message shown over the page for a while, with an action that can still be taken. */
import { signal } from "@preact/signals";

export interface Toast {
  text: string;
  action?: { label: string; run: () => void };
  /** Stays until it is closed. */
  stays?: boolean;
}

export const toast = signal<Toast | undefined>(undefined);

const SHOWN_MS = 10_000;
let timer: ReturnType<typeof setTimeout> | undefined;

export function showToast(next: Toast): void {
  clearTimeout(timer);
  toast.value = next;
  if (next.stays !== true) timer = setTimeout(hideToast, SHOWN_MS);
}

export function hideToast(): void {
  clearTimeout(timer);
  toast.value = undefined;
}
