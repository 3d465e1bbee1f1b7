/** The progress of a load: one line and one bar for each phase. */
import type { JSX } from "preact";
import { formatBytes, formatDuration } from "../lib/format.js";
import type { Choice } from "../state/choice.js";
import * as model from "../state/model.js";
import { t } from "../text/index.js";

export function Loading({ choice, isPaused }: { choice: Choice; isPaused: boolean }): JSX.Element {
  const { download } = model.phases.value;
  const canPause = download.state === "active" && typeof choice.source === "string";
  return (
    <section id="loading" class="card" aria-labelledby="loading-title" data-paused={isPaused}>
      <h2 id="loading-title">{isPaused ? t().paused : t().loading}</h2>
      <p id="loading-name" class="muted">
        {model.modelName(choice.source)}
      </p>
      <div id="phases" class="phases">
        {model.PHASES.map((phase) => (
          <PhaseLine key={phase} phase={phase} isPaused={isPaused} />
        ))}
      </div>
      <div class="row">
        {isPaused && (
          <button id="resume-load" type="button" class="primary" onClick={model.resume}>
            {t().resume}
          </button>
        )}
        {canPause && !isPaused && (
          <button id="pause-load" type="button" onClick={model.pause}>
            {t().pause}
          </button>
        )}
        <button id="cancel-load" type="button" onClick={model.cancel}>
          {t().cancel}
        </button>
      </div>
    </section>
  );
}

function PhaseLine({ phase, isPaused }: { phase: model.Phase; isPaused: boolean }): JSX.Element {
  const { loaded, total, state } = model.phases.value[phase];
  const label = t().phases[phase];
  const share = state === "done" ? 1 : total > 0 ? loaded / total : 0;
  return (
    <div class="phase" data-phase={phase} data-state={state}>
      <span class="phase-name">{label}</span>
      <span class="amount">{amount(phase, model.phases.value[phase], isPaused)}</span>
      {/* Without a value the bar only shows that something is in progress. */}
      <progress max={1} aria-label={label} {...(state === "active" && total === 0 ? {} : { value: share })} />
    </div>
  );
}

function amount(phase: model.Phase, { loaded, total, state }: model.PhaseState, isPaused: boolean): string {
  if (loaded === 0 && total === 0) return "";
  if (phase === "compile") return total > 0 ? t().countOf(loaded, total) : "";
  const parts = [total > 0 ? t().amountOf(formatBytes(loaded), formatBytes(total)) : formatBytes(loaded)];
  const speed = model.downloadSpeed.value;
  if (phase === "download" && state === "active" && !isPaused && speed !== undefined && speed > 0) {
    parts.push(`${formatBytes(speed)}/s`);
    if (total > 0) parts.push(t().left(formatDuration((total - loaded) / speed)));
  }
  return parts.join(" · ");
}
