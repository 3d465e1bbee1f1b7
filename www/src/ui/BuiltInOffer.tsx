/** The offer of the browser's own model, where it has one that is ready. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { hasBuiltIn, lookForBuiltIn, useBuiltIn } from "../state/server.js";
import { t } from "../text/index.js";
import { closeDialog } from "./dialogs.js";
import { ErrorCard } from "./ErrorCard.js";

export function BuiltInOffer(): JSX.Element | null {
  const failed = useSignal<unknown>(undefined);
  useEffect(() => void lookForBuiltIn(), []);
  if (hasBuiltIn.value !== true) return null;
  const take = (): void => {
    failed.value = undefined;
    useBuiltIn().then(closeDialog, (error: unknown) => {
      failed.value = error;
    });
  };
  return (
    <div class="server">
      <button id="built-in" type="button" aria-describedby="built-in-note" onClick={take}>
        {t().useBuiltIn}
      </button>
      <p id="built-in-note" class="muted small">
        {t().builtInNote}
      </p>
      {failed.value !== undefined && <ErrorCard error={failed.value} actions={[{ label: t().tryAgain, run: take }]} />}
    </div>
  );
}
