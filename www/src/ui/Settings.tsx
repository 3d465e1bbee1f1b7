/** How the page looks, what the model is told first, and how it chooses its words. */
import type { JSX } from "preact";
import { system, setSystem } from "../state/chat.js";
import { change, preset, PRESETS, settings, type PresetName, type Sampling, type Settings } from "../state/settings.js";
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
      <div class="field inline">
        <label for="theme">{t().theme}</label>
        <select
          id="theme"
          value={theme}
          onChange={(event) => {
            change({ theme: event.currentTarget.value as Settings["theme"] });
          }}
        >
          <option value="auto">{t().auto}</option>
          <option value="light">{t().light}</option>
          <option value="dark">{t().dark}</option>
        </select>
      </div>
      <div class="field inline">
        <label for="language">{t().language}</label>
        <select
          id="language"
          value={language}
          onChange={(event) => {
            change({ language: event.currentTarget.value as Settings["language"] });
          }}
        >
          <option value="auto">{t().auto}</option>
          <option value="en" lang="en">
            English
          </option>
          <option value="zh-CN" lang="zh-CN">
            中文
          </option>
        </select>
      </div>
    </Dialog>
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
