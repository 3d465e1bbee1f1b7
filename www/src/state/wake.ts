/** Keeps the screen awake while a model loads or answers: a device that falls asleep ends both. */
import { computed, effect } from "@preact/signals";
import { answerings } from "./answers.js";
import { incoming, model } from "./model.js";

const isBusy = computed(
  () => answerings.value.size > 0 || model.value.name === "loading" || incoming.value?.name === "loading",
);

/** Holds a lock for as long as there is work; browsers take it away from hidden tabs, so it is asked for again. */
export function keepAwake(): void {
  const { wakeLock } = navigator as { wakeLock?: WakeLock };
  if (wakeLock === undefined) return;
  let held: WakeLockSentinel | undefined;
  let isAsking = false;
  const ask = async (): Promise<void> => {
    if (isAsking || !isBusy.peek() || document.visibilityState !== "visible" || held?.released === false) return;
    isAsking = true;
    // Refused with a low battery: then the device sleeps as it would without us.
    held = await wakeLock.request("screen").catch(() => undefined);
    isAsking = false;
    if (!isBusy.peek()) await release();
  };
  const release = async (): Promise<void> => {
    const lock = held;
    held = undefined;
    await lock?.release().catch(() => undefined);
  };
  document.addEventListener("visibilitychange", () => void ask());
  effect(() => {
    if (isBusy.value) void ask();
    else void release();
  });
}
