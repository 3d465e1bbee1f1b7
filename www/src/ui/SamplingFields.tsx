/** Sampling controls for the current model. */
import type { JSX } from "preact";
import { PRESETS, type PresetName, type Sampling } from "../models/presets.js";
import { advised, preset, sampling, setSampling } from "../state/sampling.js";
import { t } from "../text/index.js";

interface Range {
  name: keyof Sampling;
  min: number;
  max: number;
  step: number;
  /** Position of the slider while nothing is set: the engine's default. */
  rest: number;
}

/** The sliders, in order of importance. */
const RANGES: Range[] = [
  { name: "temperature", min: 0, max: 2, step: 0.05, rest: 0.7 },
  { name: "top_p", min: 0.05, max: 1, step: 0.05, rest: 1 },
  { name: "top_k", min: 0, max: 200, step: 1, rest: 0 },
  { name: "min_p", min: 0, max: 0.5, step: 0.01, rest: 0 },
  { name: "repetition_penalty", min: 1, max: 1.5, step: 0.01, rest: 1 },
  { name: "max_tokens", min: 0, max: 8192, step: 64, rest: 0 },
];

export function SamplingFields(): JSX.Element {
  return (
    <>
      <fieldset class="presets">
        <legend>{t().sampling}</legend>
        {(Object.keys(PRESETS) as PresetName[]).map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={preset.value === name}
            onClick={() => {
              setSampling(PRESETS[name]);
            }}
          >
            {t().presets[name]}
          </button>
        ))}
      </fieldset>
      {RANGES.map((range) => (
        <Slider key={range.name} {...range} />
      ))}
    </>
  );
}

function Slider({ name, min, max, step, rest }: Range): JSX.Element {
  const id = `sampling-${name}`;
  const set = sampling.value[name] ?? advised.value[name];
  const isOff = (name === "top_k" || name === "min_p" || name === "max_tokens") && set === 0;
  return (
    <div class="field slider">
      <label for={id}>
        {t().samplingNames[name]} <small class="muted">{name}</small>
      </label>
      <output for={id}>
        {set === undefined ? t().byDefault : isOff ? (name === "max_tokens" ? t().noLimit : t().off) : String(set)}
      </output>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={set ?? rest}
        onInput={(event) => {
          setSampling({ ...sampling.value, [name]: event.currentTarget.valueAsNumber });
        }}
      />
    </div>
  );
}
