/** The panel of documents: add, see what became of each, remove. */
import { useSignal } from "@preact/signals";
import { HearthError } from "hearth-llm";
import type { DocumentState } from "hearth-llm/documents";
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { formatBytes } from "../lib/format.js";
import { asksDocuments, documentCount, isSent, setAsksDocuments } from "../state/documents.js";
import { add, entries, notKept, opened, remove, removeAll, retry, type Entry } from "../state/library.js";
import { d } from "../text/documents.js";
import { language, t } from "../text/index.js";
import { zhErrors } from "../text/zh-errors.js";
import { Dialog } from "./Dialog.js";
import { closeDialog } from "./dialogs.js";
import { ErrorCard } from "./ErrorCard.js";
import { IconButton } from "./icons.js";
import { Meaning } from "./Meaning.js";
import "../styles/documents.css";

export function DocumentsDialog(): JSX.Element {
  const failure = useSignal<unknown>(undefined);
  const isRemoving = useSignal(false);
  const list = useRef<HTMLUListElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const open = (): void => {
    failure.value = undefined;
    opened().catch((error: unknown) => {
      failure.value = error;
    });
  };
  useEffect(open, []);
  const all = entries.value;
  /** Position of the line whose button had the focus and is about to be removed. */
  const removed = useRef<number | undefined>(undefined);
  useLayoutEffect(() => {
    if (removed.current === undefined) return;
    const buttons = list.current?.querySelectorAll<HTMLElement>(".remove .icon-button") ?? [];
    (buttons[Math.min(removed.current, buttons.length - 1)] ?? field.current)?.focus();
    removed.current = undefined;
  }, [all]);
  return (
    <Dialog id="documents" title={t().documents} onClose={closeDialog}>
      <p class="muted small">{d().about}</p>
      <label class="add-documents">
        {d().add}
        <input
          id="document-file"
          ref={field}
          class="unseen"
          type="file"
          multiple
          onChange={(event) => {
            const files = [...(event.currentTarget.files ?? [])];
            // Choosing the same file again must count as a choice.
            event.currentTarget.value = "";
            void add(files);
          }}
        />
      </label>
      {failure.value !== undefined && (
        <ErrorCard error={failure.value} actions={[{ label: t().tryAgain, run: open }]} />
      )}
      {notKept.value !== undefined && <p class="small">{d().notKept}</p>}
      {documentCount.value > 0 && (
        <label class="row">
          <input
            id="asks-documents"
            type="checkbox"
            checked={asksDocuments.value}
            onChange={(event) => {
              setAsksDocuments(event.currentTarget.checked);
            }}
          />
          {isSent.value ? t().sendDocuments(documentCount.value) : d().askThem}
        </label>
      )}
      <Meaning />
      {all.length === 0 ? (
        <p class="muted small">{d().none}</p>
      ) : (
        <ul id="library" ref={list} class="library" aria-label={d().list}>
          {all.map((entry, index) => (
            <Row
              key={entry.key}
              entry={entry}
              onRemove={() => {
                removed.current = index;
                void remove(entry);
              }}
            />
          ))}
        </ul>
      )}
      {all.length > 1 && (
        <div class="row end">
          <button
            id="remove-all"
            type="button"
            onClick={() => {
              isRemoving.value = true;
            }}
          >
            {d().removeAll}
          </button>
        </div>
      )}
      {/* Inside the dialog, since everything outside a modal dialog is silent. Pages are not told: they are too many. */}
      <p id="library-status" class="unseen" role="status">
        {summary(all)}
      </p>
      {isRemoving.value && (
        <RemoveAll
          count={all.length}
          onDone={() => {
            isRemoving.value = false;
          }}
        />
      )}
    </Dialog>
  );
}

function summary(all: readonly Entry[]): string {
  const count = (state: Entry["state"]): number => all.filter((entry) => entry.state === state).length;
  const reading = count("reading");
  return reading > 0 ? d().readingCount(reading) : d().searchableCount(count("ready"));
}

function Row({ entry, onRemove }: { entry: Entry; onRemove: () => void }): JSX.Element {
  const { name, bytes, state } = entry;
  return (
    <li data-state={state === "ready" ? entry.info.state : state}>
      <div class="about">
        <span class="wrap">{name}</span>
        <small class="muted">{[formatBytes(bytes), ...facts(entry)].join(" · ")}</small>
        {state === "ready" &&
          entry.info.remarks.map((remark) => (
            // The package's own words.
            <small key={remark} class="muted" lang="en">
              {remark}
            </small>
          ))}
        {state === "failed" && <Reason entry={entry} />}
      </div>
      <span class="remove">
        <IconButton name="trash" label={d().remove(name)} onClick={onRemove} />
      </span>
    </li>
  );
}

function facts(entry: Entry): string[] {
  if (entry.state === "failed") return [d().failed];
  if (entry.state === "reading") {
    const { page, pages } = entry;
    return [page === undefined || pages === undefined ? d().reading : d().readingPage(page, pages)];
  }
  const { state, pages, embedded, passages } = entry.info;
  const what = state === "pictures" ? d().pictures : d().searchable;
  const found = embeddedShare(state, embedded, passages);
  return [...(pages === null ? [] : [d().pages(pages)]), what, ...(found === undefined ? [] : [found])];
}

/** Returns how much of a document is found by meaning; undefined if nothing is. */
function embeddedShare(state: DocumentState, embedded: number, passages: number): string | undefined {
  if (state === "ready") return d().meaningWhole;
  return embedded === 0 ? undefined : d().meaningShare(Math.floor((100 * embedded) / passages));
}

/** The reason why a file was not read, and a field for the password if that is what it lacks. */
function Reason({ entry }: { entry: Entry & { state: "failed" } }): JSX.Element {
  const { error, name } = entry;
  const field = useRef<HTMLInputElement>(null);
  const code = error instanceof HearthError ? error.code : "page_error";
  const own = error instanceof HearthError ? error.message : String(error);
  const translated = code !== "page_error" && language.value === "zh-CN" ? zhErrors[code] : undefined;
  // A password that is given is asked for again if it is not the right one; Word's cannot be given.
  const isLocked = code === "document_encrypted" && !/\.(doc|xls|ppt)x?$/i.test(name);
  return (
    <>
      <small class="reason" role="alert" data-code={code}>
        {translated !== undefined && <span>{translated} </span>}
        <span lang="en">{own}</span>
      </small>
      {isLocked && (
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            const password = field.current?.value ?? "";
            if (password !== "") void retry(entry, password);
          }}
        >
          <input ref={field} type="password" autocomplete="off" aria-label={d().password(name)} />
          <button type="submit">{d().unlock}</button>
        </form>
      )}
    </>
  );
}

function RemoveAll({ count, onDone }: { count: number; onDone: () => void }): JSX.Element {
  return (
    <Dialog id="remove-documents" title={d().removeAllSure(count)} isInner onClose={onDone}>
      <p>{d().removeNote}</p>
      <div class="row end">
        <button type="button" onClick={onDone}>
          {t().cancel}
        </button>
        <button id="remove-now" type="button" class="primary" onClick={() => void removeAll().then(onDone)}>
          {d().removeNow}
        </button>
      </div>
    </Dialog>
  );
}
