/** Sampling of a model: as its makers recommend, unless the visitor has set something else for it. */
import { computed } from "@preact/signals";
import { DEFAULT_MODEL, entryOf } from "../models/catalog.js";
import { PRESETS, type PresetName, type Sampling } from "../models/presets.js";
import { params } from "../params.js";
import { backend, model, modelName } from "./model.js";
import { change, settings } from "./settings.js";

/** The model that the settings apply to: the running one, or else the one that would be loaded. */
const subject = computed((): string => {
  const state = model.value;
  if (state.name === "none") return settings.value.model || DEFAULT_MODEL;
  if ("server" in state.choice) return `${state.choice.model} @ ${state.choice.server}`;
  const { source } = state.choice;
  return typeof source === "string" ? source : modelName(source);
});

/** Values that the visitor has set for this model. */
export const sampling = computed((): Partial<Sampling> => settings.value.samplings[subject.value] ?? {});
/** Values that the model's makers recommend: those in the running model's files, or else those in the list of models. */
export const advised = computed(
  (): Partial<Sampling> => backend.value?.local?.model.sampling ?? entryOf(subject.value)?.sampling ?? {},
);

export function setSampling(values: Partial<Sampling>): void {
  change({ samplings: { ...settings.value.samplings, [subject.value]: values } });
}

/** The preset that the current values match; undefined for custom values. */
export const preset = computed((): PresetName | undefined => {
  const set = JSON.stringify(sampling.value);
  return (Object.keys(PRESETS) as PresetName[]).find((name) => JSON.stringify(PRESETS[name]) === set);
});

/** Returns the sampling of a request, overridden by the page's address. */
export function requestSampling(): Partial<Sampling> & { seed?: number } {
  const { max_tokens = 0, ...others } = { ...advised.value, ...sampling.value };
  return { ...others, ...(max_tokens > 0 ? { max_tokens } : {}), ...params.sampling };
}
