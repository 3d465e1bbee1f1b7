/** The messages that wait for their turn, above the field in which they were written. */
import type { JSX } from "preact";
import { failure, isServing } from "../state/chat.js";
import { place, write } from "../state/draft.js";
import { incoming, model } from "../state/model.js";
import { changeDraft } from "../state/pictures.js";
import { sendNext, takeBack, waiting, type Waiting } from "../state/queue.js";
import { t } from "../text/index.js";
import { IconButton } from "./icons.js";

export function Queue(): JSX.Element | null {
  const all = waiting.value;
  if (all.length === 0) return null;
  const isHeld = isServing.value && failure.value !== undefined;
  return (
    <section class="queue" aria-label={t().waiting}>
      <ul id="queue">
        {all.map((one) => (
          <Line key={one.key} one={one} />
        ))}
      </ul>
      <p class="row small muted">
        <span id="queue-reason">{reason(isHeld)}</span>
        {isHeld && (
          <button id="send-next" type="button" class="quiet" onClick={sendNext}>
            {t().sendNow}
          </button>
        )}
      </p>
    </section>
  );
}

function Line({ one }: { one: Waiting }): JSX.Element {
  const { text, pictures } = one;
  const edit = (): void => {
    takeBack(one);
    write(text);
    if (pictures.length > 0) void changeDraft(place.peek(), (others) => [...pictures, ...others]);
    document.querySelector<HTMLElement>("#prompt")?.focus();
  };
  return (
    <li>
      <span class="queued" dir="auto">
        {text === "" ? t().picture(1) : text}
      </span>
      <IconButton name="edit" label={t().editWaiting} onClick={edit} />
      <IconButton
        name="close"
        label={t().removeWaiting}
        onClick={() => {
          takeBack(one);
        }}
      />
    </li>
  );
}

/** Says what the messages wait for. */
function reason(isHeld: boolean): string {
  if (isHeld) return t().waitsForRetry;
  if (incoming.value?.name === "ready") return t().waitsForModel;
  if (isServing.value) return t().waitsForAnswer;
  const { name } = model.value;
  return name === "loading" ? t().waitsForModel : t().waitsForChoice;
}
