/** Thoughts before the answer: the visitor's switch for them, for models whose chat template has one. */
import { computed, signal } from "@preact/signals";
import { HearthError, type Backend } from "hearth-llm";
import { backend } from "./model.js";
import { change, settings } from "./settings.js";

/** Names of models that mention thoughts in their templates and cannot be told to leave them out. */
const unswitchable = signal<ReadonlySet<string>>(new Set());

const hasSwitch = ({ local, model: { name } }: Backend): boolean =>
  local?.model.thought_marks != null && !unswitchable.value.has(name);

/** Whether the running model's thoughts can be switched off, as far as is known. */
export const canSwitch = computed(() => backend.value !== undefined && hasSwitch(backend.value));

export function setThinks(thinks: boolean): void {
  change({ thinks });
}

/** Returns the part of a request that concerns thoughts: none unless the visitor wants none. */
export function thinkingOf(running: Backend): { enable_thinking?: false } {
  return !settings.peek().thinks && hasSwitch(running) ? { enable_thinking: false } : {};
}

/** Whether a request failed only because the model's template has no switch, which is noted. */
export function lacksSwitch(running: Backend, error: unknown): boolean {
  if (!(error instanceof HearthError) || error.code !== "invalid_request") return false;
  if (!error.message.includes("enable_thinking") || thinkingOf(running).enable_thinking === undefined) return false;
  unswitchable.value = new Set([...unswitchable.value, running.model.name]);
  return true;
}
