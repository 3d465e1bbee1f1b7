/** A document's text with a passage of it marked, on its page. All of it is set as text. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { citationsOf } from "../markdown/citations.js";
import { shownSource, type ShownSource } from "../state/documents.js";
import { opened } from "../state/library.js";
import type { Source } from "../store/sources.js";
import { d } from "../text/documents.js";
import { Dialog } from "./Dialog.js";
import { closeDialog } from "./dialogs.js";
import "../styles/documents.css";

/** Characters shown before and after a passage at first, and by which each button shows more. */
const AROUND = 3000;
const MORE = 20_000;

/** A document's text, and where its pages begin. */
interface Text {
  text: string;
  pages: readonly { start: number; value: string }[];
}

export function PassageDialog(): JSX.Element | null {
  const shown = shownSource.value;
  const source = shown?.part.sources.find(({ number }) => number === shown.number);
  if (shown === undefined || source === undefined) return null;
  return (
    <Dialog id="passage" title={source.title} onClose={closeDialog}>
      <Passage key={`${source.from} ${String(source.start)} ${String(shown.at)}`} shown={shown} source={source} />
      <Steps shown={shown} />
    </Dialog>
  );
}

function Passage({ shown, source }: { shown: ShownSource; source: Source }): JSX.Element {
  const { from, quote, headings = [] } = source;
  /** Null for a document that is not in the library, undefined until that is known. */
  const document = useSignal<Text | null | undefined>(undefined);
  useEffect(() => {
    const read = async (): Promise<Text | null> => {
      const library = await opened();
      const isThere = library.list().some(({ id }) => id === from);
      return isThere ? { text: library.text(from), pages: library.pages(from) } : null;
    };
    void read().then(
      (found) => {
        document.value = found;
      },
      () => {
        document.value = null;
      },
    );
  }, []);
  const citation = shown.at === undefined ? undefined : citationsOf(shown.part, shown.number)[shown.at];
  const page = citation?.page ?? source.page ?? null;
  const where = [...(page === null ? [] : [d().page(page)]), ...headings];
  const found = document.value;
  // An imported conversation may be wrong about a document.
  const start = source.start ?? -1;
  const isIn = found != null && start >= 0 && found.text.slice(start, source.end) === quote;
  return (
    <>
      {where.length > 0 && <p class="where muted small">{where.join(" › ")}</p>}
      {found !== undefined && !isIn && <p class="muted small">{d().gone}</p>}
      {found !== undefined && (
        <DocumentText
          document={isIn ? found : { text: quote, pages: [] }}
          start={isIn ? start : 0}
          end={isIn ? start + quote.length : quote.length}
          mark={isIn ? citation : undefined}
        />
      )}
    </>
  );
}

interface Range {
  start: number;
  end: number;
}

function DocumentText({
  document: { text, pages },
  start,
  end,
  mark = { start, end },
}: Range & { document: Text; mark: Range | undefined }): JSX.Element {
  const first = useSignal(Math.max(0, start - AROUND));
  const last = useSignal(Math.min(text.length, end + AROUND));
  const marked = useRef<HTMLElement>(null);
  useEffect(() => {
    marked.current?.scrollIntoView({ block: "center" });
    marked.current?.focus({ preventScroll: true });
  }, []);
  const [from, to] = [Math.max(start, mark.start), Math.min(end, mark.end)];
  const piece = (begin: number, finish: number): (string | JSX.Element)[] => withPages(text, pages, begin, finish);
  return (
    <div class="document-text" tabIndex={0} role="group" aria-label={d().passage}>
      {first.value > 0 && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            first.value = Math.max(0, first.value - MORE);
          }}
        >
          {d().earlierText}
        </button>
      )}
      <div class="document-body" dir="auto">
        {piece(first.value, start)}
        <span class="passage">
          {piece(start, from)}
          <mark ref={marked} tabIndex={-1}>
            {piece(from, to)}
          </mark>
          {piece(to, end)}
        </span>
        {piece(end, last.value)}
      </div>
      {last.value < text.length && (
        <button
          type="button"
          class="quiet"
          onClick={() => {
            last.value = Math.min(text.length, last.value + MORE);
          }}
        >
          {d().laterText}
        </button>
      )}
    </div>
  );
}

/** Returns a part of a text with the label of each page that begins in it. */
function withPages(text: string, pages: Text["pages"], start: number, end: number): (string | JSX.Element)[] {
  const parts: (string | JSX.Element)[] = [];
  let at = start;
  for (const page of pages) {
    if (page.start < start || page.start >= end) continue;
    parts.push(
      text.slice(at, page.start),
      <span key={page.start} class="page-label muted small">
        {d().page(page.value)}
      </span>,
    );
    at = page.start;
  }
  return [...parts, text.slice(at, Math.max(at, end))];
}

/** Buttons to the passages before and after, in the order in which the model was given them. */
function Steps({ shown: { part, number } }: { shown: ShownSource }): JSX.Element | null {
  const { sources } = part;
  const index = sources.findIndex((source) => source.number === number);
  if (sources.length < 2) return null;
  const step = (by: 1 | -1) => (): void => {
    const next = sources[index + by];
    if (next?.number !== undefined) shownSource.value = { part, number: next.number };
  };
  return (
    <div class="row steps">
      <button type="button" disabled={index === 0} onClick={step(-1)}>
        {d().previousSource}
      </button>
      <span class="muted small">{d().passageOf(index + 1, sources.length)}</span>
      <button type="button" disabled={index === sources.length - 1} onClick={step(1)}>
        {d().nextSource}
      </button>
    </div>
  );
}
