/** The passages that an answer was made from, below it. */
import type { JSX } from "preact";
import type { Source, SourcesPart } from "../store/sources.js";
import { d } from "../text/documents.js";
import { t } from "../text/index.js";
import { showSource } from "./show-source.js";
import "../styles/documents.css";

export function Sources({ part }: { part: SourcesPart }): JSX.Element {
  const { sources } = part;
  if (sources.length === 0) return <p class="sources muted small">{d().noSources}</p>;
  return (
    <details class="sources muted small">
      <summary>{d().sources(sources.length)}</summary>
      <ul>
        {sources.map((source) => (
          <li key={source.number}>
            <SourceButton source={source} part={part} />
          </li>
        ))}
      </ul>
    </details>
  );
}

function SourceButton({ source, part }: { source: Source; part: SourcesPart }): JSX.Element {
  const { number = 0, title, page = null, headings = [] } = source;
  const where = [title, ...(page === null ? [] : [d().page(page)]), ...headings.slice(-1)];
  return (
    <button
      type="button"
      class="quiet"
      data-source-number={number}
      aria-label={t().sourceLabel(number, title, page)}
      onClick={() => {
        showSource({ part, number });
      }}
    >
      {`${String(number)} · ${where.join(" · ")}`}
    </button>
  );
}
