/** The progress of a load: one bar and one line, in the middle of an empty page or as a strip above the message field. */
import type { JSX } from "preact";
import { formatBytes, formatDuration } from "../lib/format.js";
import { entryOf } from "../models/catalog.js";
import type { Choice } from "../state/choice.js";
import * as model from "../state/model.js";
import { t } from "../text/index.js";

type Name = "loading" | "paused" | "ready";

export function Loading({
  choice,
  name,
  isStrip = false,
}: {
  choice: Choice;
  name: Name;
  /** Whether there is a conversation, which it must leave room for. */
  isStrip?: boolean;
}): JSX.Element {
  const { download } = model.phases.value;
  const isPaused = name === "paused";
  const canPause = download.state === "active" && typeof choice.source === "string" && name === "loading";
  const { line, share, phase } = progress(name);
  return (
    <section
      id="loading"
      class={isStrip ? "strip" : "card"}
      aria-labelledby="loading-title"
      data-phase={phase}
      data-paused={isPaused}
    >
      <p class="strip-line">
        <strong id="loading-title">{isPaused ? t().paused : t().loading}</strong>{" "}
        <span id="loading-name" class="muted wrap">
          {entryOf(choice.source)?.name ?? model.modelName(choice.source)}
        </span>
      </p>
      {/* Without a value the bar only shows that something is in progress. */}
      <progress max={1} aria-label={t().loading} {...(share === undefined ? {} : { value: share })} />
      <p id="loading-line" class="muted small amount">
        {line}
      </p>
      {!isStrip && (
        <p id="loading-fact" class="fact">
          {t().facts[Math.min(t().facts.length - 1, Math.floor((share ?? 1) * t().facts.length))]}
        </p>
      )}
      <div class="row">
        {isPaused && (
          <button id="resume-load" type="button" class="primary" onClick={model.resume}>
            {t().resume}
          </button>
        )}
        {canPause && (
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

/** Describes the part of the load that takes the time: the download, as long as there is one. */
function progress(name: Name): { line: string; share: number | undefined; phase?: model.Phase } {
  if (name === "ready") return { line: t().waitsForSilence, share: 1 };
  const all = model.phases.value;
  const at = (["download", "weights", "header"] as const).find((phase) => all[phase].state === "active");
  if (at === undefined) {
    const { loaded, total, state } = all.compile;
    if (state !== "active") return { line: all.download.state === "done" ? t().phases.weights : "", share: undefined };
    const isCounted = total > 0;
    const line = `${t().phases.compile}${isCounted ? ` · ${t().countOf(loaded, total)}` : ""}`;
    return { line, share: isCounted ? loaded / total : undefined, phase: "compile" };
  }
  const { loaded, total } = all[at];
  const parts = [t().phases[at]];
  if (loaded > 0) parts.push(total > 0 ? t().amountOf(formatBytes(loaded), formatBytes(total)) : formatBytes(loaded));
  const speed = model.downloadSpeed.value;
  if (at === "download" && name !== "paused" && speed !== undefined && speed > 0) {
    parts.push(`${formatBytes(speed)}/s`);
    if (total > 0) parts.push(t().left(formatDuration((total - loaded) / speed)));
  }
  return { line: parts.join(" · "), share: total > 0 ? loaded / total : undefined, phase: at };
}
