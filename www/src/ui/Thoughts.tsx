/** A model's thoughts before its answer: folded, since the reader asked for the answer, with the time that they take. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { formatDuration } from "../lib/format.js";
import { t } from "../text/index.js";

export function Thoughts({
  text,
  seconds,
  since,
}: {
  text: string;
  /** Time that they have taken; undefined if nobody measured it. */
  seconds: number | undefined;
  /** Beginning of those that go on, as `performance.now()` tells it; undefined for others. */
  since: number | undefined;
}): JSX.Element {
  const now = useSignal(performance.now());
  const isLive = since !== undefined;
  useEffect(() => {
    if (!isLive) return;
    const timer = setInterval(() => {
      now.value = performance.now();
    }, 1000);
    return () => {
      clearInterval(timer);
    };
  }, [isLive]);
  const took = since === undefined ? seconds : Math.max(0, Math.floor((now.value - since) / 1000));
  const lines = text.trimEnd().split("\n");
  return (
    <details class="reasoning" data-live={isLive}>
      <summary>
        {isLive ? t().thinkingFor(took ?? 0) : took === undefined ? t().thoughts : t().thoughtFor(formatDuration(took))}
        {/* The last line shows that it goes on; the whole is in the fold. */}
        {isLive && (
          <span class="ticker" aria-hidden="true">
            {lines.at(-1)}
          </span>
        )}
      </summary>
      <p dir="auto">{text}</p>
    </details>
  );
}
