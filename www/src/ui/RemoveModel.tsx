/** Asks before deleting gigabytes that would have to be fetched again. */
import { useSignal } from "@preact/signals";
import type { CachedFile } from "hearth-llm/cache";
import type { JSX } from "preact";
import { formatBytes } from "../lib/format.js";
import { modelName } from "../state/model.js";
import { removeKept } from "../state/plan.js";
import { t } from "../text/index.js";
import { Dialog } from "./Dialog.js";

export function RemoveModel({ file: { url, bytes }, onDone }: { file: CachedFile; onDone: () => void }): JSX.Element {
  const isInUse = useSignal(false);
  const remove = async (): Promise<void> => {
    if (await removeKept(url)) onDone();
    else isInUse.value = true;
  };
  return (
    <Dialog id="remove-model" title={t().removeSure(modelName(url))} isInner onClose={onDone}>
      <p role="status">{isInUse.value ? t().inUse : t().frees(formatBytes(bytes))}</p>
      <div class="row end">
        <button type="button" onClick={onDone}>
          {t().cancel}
        </button>
        {!isInUse.value && (
          <button id="remove" type="button" class="primary" onClick={() => void remove()}>
            {t().delete}
          </button>
        )}
      </div>
    </Dialog>
  );
}
