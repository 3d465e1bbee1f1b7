/** A better model than the one to try at once: offered while that one answers, and taken over when it is here. */
import { computed, effect, signal } from "@preact/signals";
import { entryOf, type CatalogEntry } from "../models/catalog.js";
import { t } from "../text/index.js";
import { canAsk, path, regenerate } from "./chat.js";
import { backend, incoming, localChoice, runningName } from "./model.js";
import { offers } from "./plan.js";
import { showToast } from "./toast.js";

const isDeclined = signal(false);

/** The model to offer; undefined unless the one to try is running, and nothing is on its way. */
export const better = computed((): CatalogEntry | undefined => {
  const { now, recommended } = offers.value ?? {};
  if (isDeclined.value || now === undefined || incoming.value !== undefined) return undefined;
  return entryOf(localChoice.value?.source) === now ? recommended : undefined;
});

export function decline(): void {
  isDeclined.value = true;
}

/** Says when a model has taken another one's place, and offers its answer to the last question. */
export function tellReplacements(): void {
  let before: string | undefined;
  effect(() => {
    const running = backend.value;
    if (running === undefined) return;
    const name = runningName(running);
    if (before !== undefined && before !== name) tell(name);
    before = name;
  });
}

function tell(name: string): void {
  const text = t().modelReady(name);
  const last = path.peek().at(-1);
  const again = { label: t().answerAgainWithIt, run: () => last !== undefined && void regenerate(last) };
  const isOffered = last?.role === "assistant" && canAsk.peek();
  showToast(isOffered ? { text, action: again } : { text });
}
