/** Shows whether the browser may clear the data kept here, and what can be done about it. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { clearsAfterAWeek, exportAll, install, isProtected, protect } from "../state/storage.js";
import { t } from "../text/index.js";

export function StorageFields(): JSX.Element {
  const isRefused = useSignal(false);
  const ask = async (): Promise<void> => {
    await protect();
    isRefused.value = isProtected.value !== true;
  };
  const unsafe = clearsAfterAWeek(navigator) ? t().weekOnly : t().mayBeCleared;
  return (
    <fieldset class="presets">
      <legend>{t().storage}</legend>
      <p id="storage" class="muted small" role="status">
        {isProtected.value === true ? t().isProtected : isRefused.value ? t().protectRefused : unsafe}
      </p>
      {isProtected.value !== true && (
        <button id="protect" type="button" onClick={() => void ask()}>
          {t().protect}
        </button>
      )}
      {install.value !== undefined && (
        <button id="install" type="button" onClick={install.value}>
          {t().install}
        </button>
      )}
      <button type="button" onClick={() => void exportAll()}>
        {t().exportAll}
      </button>
    </fieldset>
  );
}
