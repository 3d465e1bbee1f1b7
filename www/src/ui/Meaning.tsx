/** The switch by which documents are found by meaning as well, and what has come of it. */
import type { JSX } from "preact";
import { formatBytes } from "../lib/format.js";
import { EMBEDDER } from "../models/embedder.js";
import { embedderNotice, embedderState, isEmbedderKept } from "../state/embedder.js";
import { findByMeaning, meaning } from "../state/library.js";
import { d } from "../text/documents.js";
import { t } from "../text/index.js";
import { ErrorCard } from "./ErrorCard.js";

export function Meaning(): JSX.Element {
  const state = embedderState.value;
  const isOn = state.name === "on" || state.name === "fetching";
  const { name, bytes, licence, licenceUrl } = EMBEDDER;
  return (
    <section id="meaning" class="meaning">
      <label class="row">
        <input
          id="finds-by-meaning"
          type="checkbox"
          checked={isOn}
          aria-describedby="meaning-note"
          onChange={(event) => void findByMeaning(event.currentTarget.checked)}
        />
        {d().meaning}
      </label>
      <p id="meaning-note" class="muted small">
        {isEmbedderKept() ? d().meaningHere(name) : d().meaningFetch(name, formatBytes(bytes))}{" "}
        <a href={licenceUrl} target="_blank" rel="noopener noreferrer">
          {licence}
        </a>
      </p>
      {state.name === "fetching" && <Fetching loaded={state.loaded} total={state.total} />}
      {state.name === "failed" && (
        <ErrorCard error={state.error} actions={[{ label: t().tryAgain, run: () => void findByMeaning(true) }]} />
      )}
      {state.name === "on" && <Progress />}
    </section>
  );
}

function Fetching({ loaded, total }: { loaded: number; total: number }): JSX.Element {
  const title = d().meaningFetching(EMBEDDER.name);
  return (
    <>
      {/* Without a value the bar only shows that something is in progress. */}
      <progress max={1} aria-label={title} {...(total > 0 ? { value: loaded / total } : {})} />
      <div class="row">
        <span class="muted small">{t().amountOf(formatBytes(loaded), formatBytes(Math.max(total, loaded)))}</span>
        <button id="meaning-cancel" type="button" onClick={() => void findByMeaning(false)}>
          {t().cancel}
        </button>
      </div>
    </>
  );
}

function Progress(): JSX.Element | null {
  const { state, done, total, rate, reason } = meaning.value;
  const notice = embedderNotice.value;
  if (state === "off" || total === 0) return null;
  const label = d().meaningProgress(done, total);
  return (
    <>
      {state === "indexing" && <progress max={1} value={done / total} aria-label={label} />}
      <p id="meaning-state" class="muted small" data-state={state}>
        {state === "ready" ? d().meaningReady : label}
        {state === "indexing" && rate > 0 && ` · ${d().meaningRate(rate < 10 ? rate.toFixed(1) : rate.toFixed(0))}`}
      </p>
      {notice !== undefined && (
        // The package's own words.
        <p class="muted small" lang="en">
          {notice.message}
        </p>
      )}
      {state === "paused" && (
        <>
          <p class="small">{d().meaningPaused}</p>
          <ErrorCard error={reason} actions={[{ label: t().tryAgain, run: () => void findByMeaning(true) }]} />
        </>
      )}
    </>
  );
}
