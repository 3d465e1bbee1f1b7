/** The dialog of translation: a text and its translation side by side. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { backend, runningName } from "../state/model.js";
import { placeOf, placeText } from "../state/place.js";
import { language, t } from "../text/index.js";
import { Dialog } from "../ui/Dialog.js";
import { closeDialog, dialog } from "../ui/dialogs.js";
import { ErrorCard } from "../ui/ErrorCard.js";
import { Select } from "../ui/fields.js";
import { IconButton } from "../ui/icons.js";
import { choices } from "./languages.js";
import {
  choose,
  edit,
  from,
  halt,
  isLive,
  languages,
  phase,
  stop,
  swap,
  text,
  to,
  translateNow,
  translation,
  useModel,
} from "./state.js";
import { w } from "./text.js";
import "../styles/translate.css";

export function TranslateDialog(): JSX.Element {
  const running = backend.value;
  useEffect(() => {
    void useModel();
    return stop;
  }, [running]);
  return (
    <Dialog id="translate" title={t().translate} onClose={closeDialog}>
      {running === undefined ? (
        <NoModel />
      ) : (
        <>
          <p class="muted small">
            {isLive.value
              ? w().about(runningName(running))
              : w().aboutServer(runningName(running), placeText(placeOf(running)))}
          </p>
          <Languages />
          <Texts />
          <Uses />
        </>
      )}
    </Dialog>
  );
}

function NoModel(): JSX.Element {
  return (
    <div class="row">
      <p>{w().noModel}</p>
      <button
        id="translate-model"
        type="button"
        class="primary"
        onClick={() => {
          dialog.value = "models";
        }}
      >
        {w().chooseModel}
      </button>
    </div>
  );
}

function Languages(): JSX.Element {
  const shownIn = language.value;
  const { sources, targets, needsSource = false } = languages.value ?? {};
  // An option without a code comes first: names of codes are sorted.
  const all = Object.fromEntries([["", needsSource ? w().choose : w().found], ...choices(sources, shownIn)]);
  return (
    <div class="languages">
      <Select
        id="translate-from"
        label={w().from}
        value={from.value}
        options={all}
        onChange={(code) => {
          choose({ from: code });
        }}
      />
      <IconButton id="translate-swap" name="swap" label={w().swap} onClick={swap} />
      <Select
        id="translate-to"
        label={w().to}
        value={to.value}
        options={Object.fromEntries(choices(targets, shownIn))}
        onChange={(code) => {
          choose({ to: code });
        }}
      />
    </div>
  );
}

function Texts(): JSX.Element {
  const { name } = phase.value;
  return (
    <div class="translate-texts">
      <textarea
        id="translate-input"
        rows={6}
        dir="auto"
        lang={from.value || undefined}
        aria-label={w().input}
        placeholder={w().placeholder}
        value={text.value}
        onInput={(event) => {
          edit(event.currentTarget.value);
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          translateNow();
        }}
      />
      <div
        id="translation"
        class="translation"
        role="region"
        tabIndex={0}
        dir="auto"
        lang={to.value}
        aria-label={w().output}
        aria-busy={name === "translating"}
        data-old={name === "waiting" || name === "ready"}
      >
        {translation.value}
      </div>
    </div>
  );
}

/** State of the translation, and the ways to take the translation along. */
function Uses(): JSX.Element {
  const now = phase.value;
  const outcome = useSignal("");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(translation.peek());
      outcome.value = w().copied;
    } catch {
      outcome.value = w().notCopied;
    }
  };
  useEffect(() => {
    outcome.value = "";
  }, [translation.value]);
  return (
    <>
      {now.name === "failed" && <ErrorCard error={now.error} actions={[{ label: t().tryAgain, run: translateNow }]} />}
      <div class="row">
        {!isLive.value && (
          <button
            id="translate-now"
            type="button"
            class="primary"
            disabled={text.value.trim() === ""}
            onClick={translateNow}
          >
            {w().translate}
          </button>
        )}
        {now.name === "translating" && (
          <button id="translate-stop" type="button" onClick={halt}>
            {w().stop}
          </button>
        )}
        <button id="translate-copy" type="button" disabled={translation.value === ""} onClick={() => void copy()}>
          {w().copy}
        </button>
        <button
          id="translate-clear"
          type="button"
          disabled={text.value === ""}
          onClick={() => {
            edit("");
          }}
        >
          {w().clear}
        </button>
        <span id="translate-state" class="muted small outcome" role="status" data-state={now.name}>
          {outcome.value || w().states[now.name]}
        </span>
      </div>
    </>
  );
}
