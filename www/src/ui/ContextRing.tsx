/** The room left in the model's context: a ring beside the message field, and the ways on when it runs out. */
import { signal } from "@preact/signals";
import { HearthError } from "hearth-llm";
import type { JSX } from "preact";
import { formatCount } from "../lib/format.js";
import { canAsk, failure } from "../state/chat.js";
import {
  canForget,
  contextUse,
  forgetOldest,
  isSummarising,
  isTight,
  lengthen,
  longer,
  summarise,
  type ContextUse,
} from "../state/context.js";
import { showToast } from "../state/toast.js";
import { t } from "../text/index.js";

/** Whether the visitor has opened the ways on; they open by themselves when a message did not fit. */
export const isContextOpen = signal(false);

const RADIUS = 9;
const ROUND = 2 * Math.PI * RADIUS;

export function ContextRing(): JSX.Element | null {
  const use = contextUse.value;
  if (use === undefined) return null;
  const share = Math.min(1, use.used / use.total);
  const percent = `${(100 * share).toFixed(0)}%`;
  return (
    <button
      id="context"
      type="button"
      class="ring"
      data-state={isTight.value ? "tight" : "roomy"}
      aria-label={`${t().contextLabel(textOf(use))}, ${percent}`}
      aria-expanded={isContextOpen.value}
      aria-controls="context-ways"
      title={textOf(use)}
      onClick={() => {
        isContextOpen.value = !isContextOpen.value;
      }}
    >
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <circle class="ring-track" cx="12" cy="12" r={RADIUS} />
        <circle
          class="ring-used"
          cx="12"
          cy="12"
          r={RADIUS}
          stroke-dasharray={`${(share * ROUND).toFixed(1)} ${ROUND.toFixed(1)}`}
        />
      </svg>
      <span>{percent}</span>
    </button>
  );
}

const textOf = ({ used, total, isRough }: ContextUse): string =>
  t().contextUse(`${isRough ? "≈ " : ""}${formatCount(used)}`, formatCount(total));

/** Whether the last request failed because the conversation has outgrown the context. */
export function isFull(error: unknown): boolean {
  return error instanceof HearthError && error.code === "context_overflow";
}

/** The ways on, above the message field. */
export function ContextWays(): JSX.Element | null {
  const use = contextUse.value;
  const hasFailed = isFull(failure.value?.error);
  if (use === undefined || !(isContextOpen.value || hasFailed || isTight.value)) return null;
  // A warning has no buttons until it is asked for: nothing has to be done yet.
  const isOpen = isContextOpen.value || hasFailed;
  return (
    <section id="context-ways" class="strip ways" data-open={isOpen} aria-label={t().context}>
      <p class="small">{hasFailed ? t().contextFull : isTight.value ? t().contextTight : textOf(use)}</p>
      {isOpen && <Ways />}
    </section>
  );
}

function Ways(): JSX.Element {
  const more = longer.value;
  const { retry } = failure.value ?? {};
  const again = async (way: () => Promise<void>): Promise<void> => {
    await way();
    isContextOpen.value = false;
    if (retry !== undefined && canAsk.peek()) retry();
  };
  const shorten = (): void => {
    void summarise()
      .then(() => {
        isContextOpen.value = false;
      })
      .catch((error: unknown) => {
        showToast({ text: error instanceof Error ? error.message : String(error) });
      });
  };
  return (
    <div class="row">
      {more !== undefined && (
        <button id="way-longer" type="button" onClick={() => void again(lengthen)}>
          {t().reloadWith(formatCount(more))}
        </button>
      )}
      {canForget.value && (
        <button id="way-forget" type="button" onClick={() => void again(forgetOldest)}>
          {t().leaveOutOldest}
        </button>
      )}
      <button id="way-summary" type="button" disabled={isSummarising.value || !canAsk.value} onClick={shorten}>
        {isSummarising.value ? t().summarising : t().summariseOn}
      </button>
    </div>
  );
}
