/** The input field at the bottom: Enter sends, Shift+Enter starts a new line, Esc stops. */
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { isEscape, isSubmit } from "../lib/keys.js";
import { announce } from "../state/announce.js";
import { answering, isElsewhere, path, stop } from "../state/chat.js";
import { dictation, isDictating } from "../state/dictating.js";
import { draft, write } from "../state/draft.js";
import { entryOf } from "../models/catalog.js";
import { backend, localChoice, runningName } from "../state/model.js";
import { draftPictures, pictureFailures, takeDraft } from "../state/pictures.js";
import { placeOf, placeText } from "../state/place.js";
import { sendOrQueue } from "../state/queue.js";
import { t } from "../text/index.js";
import { AddDocuments, AskDocuments } from "./AskDocuments.js";
import { ContextRing } from "./ContextRing.js";
import { Icon } from "./icons.js";
import { lazily } from "./lazily.js";
import { MicrophoneButton, stopDictation } from "./MicrophoneButton.js";
import { PictureButtons } from "./PictureButtons.js";
import { wakeForMessage } from "./start.js";
import { ThinkButton } from "./ThinkButton.js";

const MAX_HEIGHT_PX = 220;

const PictureStrip = lazily(async () => (await import("./PictureStrip.js")).PictureStrip);
const DictationStrip = lazily(async () => (await import("./DictationStrip.js")).DictationStrip);

export function Composer(): JSX.Element {
  const field = useRef<HTMLTextAreaElement>(null);
  const isRunning = answering.value !== undefined;
  const text = draft.value;

  useLayoutEffect(() => {
    const { current } = field;
    if (current === null) return;
    current.style.height = "auto";
    current.style.height = `${String(Math.min(current.scrollHeight, MAX_HEIGHT_PX))}px`;
  }, [text]);
  useEffect(() => {
    // On a touch screen focusing would open the keyboard over the answer; and if the focus is elsewhere, it stays
    // there.
    const isFree = document.activeElement === null || document.activeElement === document.body;
    if (!isRunning && isFree && matchMedia("(hover: hover)").matches) field.current?.focus({ preventScroll: true });
  }, [isRunning]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      // A dialog handles Escape itself, and so does every field except the prompt.
      const isInOther = event.target instanceof Element && event.target.matches("input, select, textarea:not(#prompt)");
      if (!isEscape(event) || isInOther || document.querySelector("dialog[open]") !== null) return;
      // An answer may go on while the visitor dictates: what listens ends first.
      if (isDictating.peek()) void stopDictation();
      else stop();
    };
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("keydown", onKey);
    };
  }, []);

  const ask = (): void => {
    const question = draft.value.trim();
    if (question === "" && draftPictures.value.length === 0) return;
    write("");
    if (sendOrQueue(question, takeDraft())) return;
    announce(t().queued);
    wakeForMessage();
  };
  const submit = (): void => {
    if (!isDictating.peek()) {
      ask();
      return;
    }
    // The last words belong to the message; if they are lost, the visitor decides.
    void stopDictation().then((isWhole) => {
      if (isWhole) ask();
    });
  };
  return (
    <form
      id="composer"
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <div class="switches">
        <AskDocuments />
        <ThinkButton />
      </div>
      {(draftPictures.value.length > 0 || pictureFailures.value.length > 0) && <PictureStrip />}
      {dictation.value.name !== "off" && <DictationStrip />}
      <div class="box">
        <AddDocuments />
        <PictureButtons />
        <textarea
          id="prompt"
          dir="auto"
          ref={field}
          rows={1}
          placeholder={t().ask(backend.value === undefined ? "" : runningName(backend.value))}
          aria-label={t().yourMessage}
          enterkeyhint="send"
          value={text}
          onInput={(event) => {
            write(event.currentTarget.value);
          }}
          onKeyDown={(event) => {
            if (!isSubmit(event)) return;
            event.preventDefault();
            submit();
          }}
        />
        <MicrophoneButton />
        {isRunning && (
          <button id="stop" class="round" type="button" aria-label={t().stop} title={t().stop} onClick={stop}>
            <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
              <rect x="6" y="6" width="12" height="12" rx="1.5" />
            </svg>
          </button>
        )}
        {(!isRunning || text.trim() !== "") && (
          <button id="send" class="primary round" type="submit" aria-label={t().send} title={t().send}>
            <Icon name="send" />
          </button>
        )}
      </div>
      <p class="status">
        <span id="status">{isElsewhere.value ? t().answeredElsewhere : hint()}</span>
        <ContextRing />
      </p>
    </form>
  );
}

/** Length of a conversation from which its reader knows the keys. */
const FAMILIAR = 3;

/** Says that messages leave this device, which keys send one, or that models err. */
function hint(): string {
  const running = backend.value;
  const place = running === undefined ? undefined : placeOf(running);
  if (place?.where === "server") return t().goesTo(placeText(place));
  if (running === undefined || path.value.length < FAMILIAR) return t().composerHint;
  const isTiny = entryOf(localChoice.value?.source)?.about === "tiny";
  return isTiny ? t().verySmall : t().canBeWrong(runningName(running));
}
