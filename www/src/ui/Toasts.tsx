/** Messages over a corner of the page: a newer version is ready, or something has just been done. */
import type { JSX } from "preact";
import { update } from "../state/offline.js";
import { hideToast, toast } from "../state/toast.js";
import { t } from "../text/index.js";
import { IconButton } from "./icons.js";

export function Toasts(): JSX.Element {
  const apply = update.value;
  const { text, action } = toast.value ?? {};
  return (
    <div class="toasts" role="status">
      {text !== undefined && (
        <div id="toast" class="toast">
          <span>{text}</span>
          {action !== undefined && (
            <button
              type="button"
              class="primary"
              onClick={() => {
                hideToast();
                action.run();
              }}
            >
              {action.label}
            </button>
          )}
          <IconButton name="close" label={t().close} onClick={hideToast} />
        </div>
      )}
      {apply !== undefined && (
        <div id="update" class="toast">
          <span>{t().newVersion}</span>
          <button type="button" class="primary" onClick={apply}>
            {t().reload}
          </button>
        </div>
      )}
    </div>
  );
}
