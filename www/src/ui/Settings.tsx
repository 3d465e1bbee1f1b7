/** How the page looks, what the model is told first, and how it chooses its words. */
import type { JSX } from "preact";
import { system, setSystem } from "../state/chat.js";
import { change, preset, PRESETS, settings, type PresetName, type Sampling } from "../state/settings.js";
import { t } from "../text/index.js";
import { Dialog } from "./Dialog.js";
import { closeDialog } from "./dialogs.js";

interface Range {
  name: keyof Sampling;
  min: number;
  max: number;
  step: number;
}

/** In the order in which they matter. */
const RANGES: Range[] = [
  { name: "temperature", min: 0, max: 2, step: 0.05 },
  { name: "top_p", min: 0.05, max: 1, step: 0.05 },
  { name: "top_k", min: 0, max: 200, step: 1 },
  { name: "min_p", min: 0, max: 0.5, step: 0.01 },
  { name: "repetition_penalty", min: 1, max: 1.5, step: 0.01 },
  { name: "max_tokens", min: 0, max: 8192, step: 64 },
];

export function SettingsDialog(): JSX.Element {
  const { sampling, theme, language } = settings.value;
  return (
    <Dialog id="settings" title={t().settings} onClose={closeDialog}>
      <div class="field">
        <label for="system">{t().systemPrompt}</label>
        <textarea
          id="system"
          rows={4}
          placeholder={t().systemHint}
          value={system.value}
          onChange={(event) => {
            void setSystem(event.currentTarget.value);
          }}
        />
        <button
          type="button"
          class="quiet"
          disabled={settings.value.system === system.value}
          onClick={() => {
            change({ system: system.value });
          }}
        >
          {t().systemAlways}
        </button>
      </div>
      <fieldset class="presets">
        <legend>{t().sampling}</legend>
        {(Object.keys(PRESETS) as PresetName[]).map((name) => (
          <button
            key={name}
            type="button"
            aria-pressed={preset.value === name}
            onClick={() => {
              change({ sampling: PRESETS[name] });
            }}
          >
            {t().presets[name]}
          </button>
        ))}
      </fieldset>
      {RANGES.map((range) => (
        <Slider
          key={range.name}
          {...range}
          value={sampling[range.name]}
          onChange={(value) => {
            change({ sampling: { ...sampling, [range.name]: value } });
          }}
        />
      ))}
      <div class="field inline">
        <label for="hub-token">{t().hubToken}</label>
        <input
          id="hub-token"
          type="password"
          autocomplete="off"
          placeholder="hf_…"
          value={settings.value.hubToken}
          onChange={(event) => {
            change({ hubToken: event.currentTarget.value.trim() });
          }}
        />
      </div>
      <Select
        id="theme"
        label={t().theme}
        value={theme}
        options={{ auto: t().auto, light: t().light, dark: t().dark }}
        onChange={(value) => {
          change({ theme: value });
        }}
      />
      <Select
        id="language"
        label={t().language}
        value={language}
        areLanguages
        options={{ auto: t().auto, en: "English", "zh-CN": "中文" }}
        onChange={(value) => {
          change({ language: value });
        }}
      />
      <Select
        id="announce"
        label={t().announce}
        value={settings.value.announce}
        options={t().announceChoices}
        onChange={(value) => {
          change({ announce: value });
        }}
      />
    </Dialog>
  );
}

function Select<V extends string>({
  id,
  label,
  value,
  options,
  areLanguages = false,
  onChange,
}: {
  id: string;
  label: string;
  value: V;
  options: Record<V, string>;
  /** Each is written in the language that it names. */
  areLanguages?: boolean;
  onChange: (value: V) => void;
}): JSX.Element {
  const names = Object.entries(options) as [V, string][];
  return (
    <div class="field inline">
      <label for={id}>{label}</label>
      <select
        id={id}
        value={value}
        onChange={(event) => {
          onChange(event.currentTarget.value as V);
        }}
      >
        {names.map(([own, name]) => (
          <option key={own} value={own} lang={areLanguages && own !== "auto" ? own : undefined}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}

function Slider({
  name,
  min,
  max,
  step,
  value,
  onChange,
}: Range & { value: number; onChange: (value: number) => void }): JSX.Element {
  const id = `sampling-${name}`;
  const isOff = (name === "top_k" || name === "min_p" || name === "max_tokens") && value === 0;
  return (
    <div class="field slider">
      <label for={id}>
        {t().samplingNames[name]} <small class="muted">{name}</small>
      </label>
      <output for={id}>{isOff ? t().off : String(value)}</output>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={value}
        onInput={(event) => {
          onChange(event.currentTarget.valueAsNumber);
        }}
      />
    </div>
  );
}
