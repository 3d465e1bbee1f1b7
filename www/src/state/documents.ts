/**
 * The part of the documents that a visit without documents needs. The rest (`library.ts`) is fetched when the panel is
 * opened, a file is added, or a question is asked of them.
 */
import { computed, signal } from "@preact/signals";
import type { SourcesPart } from "../store/sources.js";
import type { OpenAnswer } from "./answering.js";
import { backend } from "./model.js";
import { change, settings } from "./settings.js";

/** Number of documents in the library. */
export const documentCount = computed(() => settings.value.documents);
/** Whether the model runs elsewhere, so that passages would leave this device. */
export const isSent = computed(() => backend.value !== undefined && backend.value.local === undefined);
/** Whether the next question goes to the documents: chosen for models on this device, and apart from that for others. */
export const asksDocuments = computed(() => {
  const { documents, asksDocuments: asks, sendsDocuments: sends } = settings.value;
  return documents > 0 && (isSent.value ? sends : asks);
});

/** A source that is shown in its document: that of the answer's citation at `at`, or the whole passage. */
export interface ShownSource {
  part: SourcesPart;
  number: number;
  /** Position of the citation among those of the same number; undefined for the passage itself. */
  at?: number;
}

export const shownSource = signal<ShownSource | undefined>(undefined);

export function setAsksDocuments(isOn: boolean): void {
  change(isSent.peek() ? { sendsDocuments: isOn } : { asksDocuments: isOn });
}

/** Adds files to the library. */
export async function addDocuments(files: readonly File[]): Promise<void> {
  const { add } = await import("./library.js");
  await add(files);
}

/** Returns the way to answer the next question; undefined without documents. */
export function opener(): OpenAnswer | undefined {
  if (!asksDocuments.peek()) return undefined;
  return async (...question) => {
    const { openFromDocuments } = await import("./library.js");
    return await openFromDocuments(...question);
  };
}
