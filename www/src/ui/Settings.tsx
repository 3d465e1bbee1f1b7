/** Settings of the page's appearance, the system prompt, and the resources that a model may use. */
import type { JSX } from "preact";
import { system, setSystem } from "../state/chat.js";
import { lookAgain } from "../state/plan.js";
import { change, MEMORIES, settings } from "../state/settings.js";
import { t } from "../text/index.js";
import { Dialog } from "./Dialog.js";
import { closeDialog } from "./dialogs.js";
import { Select } from "./fields.js";
import { SamplingFields } from "./SamplingFields.js";
import { StorageFields } from "./StorageFields.js";

export function SettingsDialog(): JSX.Element {
  const { theme, language, memory } = settings.value;
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
      <SamplingFields />
      <Token />
      <StorageFields />
      <Select
        id="memory"
        label={t().graphicsMemory}
        value={String(memory)}
        options={Object.fromEntries(MEMORIES.map((size) => [size, size === 0 ? t().auto : `${String(size)} GB`]))}
        onChange={(value) => {
          change({ memory: Number(value) });
          lookAgain();
        }}
      />
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

/** The access token, with a note on who can read it. */
function Token(): JSX.Element {
  const { hubToken, isTokenBrief } = settings.value;
  return (
    <>
      <div class="field inline">
        <label for="hub-token">{t().hubToken}</label>
        <input
          id="hub-token"
          type="password"
          autocomplete="off"
          placeholder="hf_…"
          aria-describedby="hub-token-note"
          value={hubToken}
          onChange={(event) => {
            change({ hubToken: event.currentTarget.value.trim() });
          }}
        />
      </div>
      <p id="hub-token-note" class="muted small">
        {t().hubTokenNote}
      </p>
      <label class="small">
        <input
          id="hub-token-brief"
          type="checkbox"
          checked={isTokenBrief}
          onChange={(event) => {
            change({ isTokenBrief: event.currentTarget.checked });
          }}
        />{" "}
        {t().hubTokenBrief}
      </label>
    </>
  );
}
