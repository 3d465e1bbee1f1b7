/** The documents in the composer: the way to add some, and whether the next question goes to them. */
import type { JSX } from "preact";
import { asksDocuments, documentCount, isSent, setAsksDocuments } from "../state/documents.js";
import { t } from "../text/index.js";
import { dialog } from "./dialogs.js";
import { Icon, IconButton } from "./icons.js";

export function AddDocuments(): JSX.Element {
  return (
    <IconButton
      id="add-documents"
      name="clip"
      label={t().documents}
      onClick={() => {
        dialog.value = "documents";
      }}
    />
  );
}

export function AskDocuments(): JSX.Element | null {
  const count = documentCount.value;
  if (count === 0) return null;
  return (
    <button
      id="ask-documents"
      type="button"
      class="asking"
      aria-pressed={asksDocuments.value}
      onClick={() => {
        setAsksDocuments(!asksDocuments.value);
      }}
    >
      <Icon name="book" />
      {isSent.value ? t().sendDocuments(count) : t().askDocuments(count)}
    </button>
  );
}
