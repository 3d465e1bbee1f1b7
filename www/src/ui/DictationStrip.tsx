/** The strip above the message while the visitor dictates: words that may still change, and what went wrong. */
import type { JSX } from "preact";
import { formatBytes } from "../lib/format.js";
import { dictation } from "../state/dictating.js";
import { heard } from "../state/dictation.js";
import { microphones } from "../state/microphone.js";
import { settings } from "../state/settings.js";
import type { SpeechFailure } from "../state/speech-failure.js";
import { speechModel, speechName } from "../state/transcriber.js";
import { t } from "../text/index.js";
import { s } from "../text/speech.js";
import { changeMicrophone, dismissFailure, startDictation } from "./dictate.js";
import { dialog } from "./dialogs.js";
import type { ErrorAction } from "./ErrorCard.js";
import { IconButton } from "./icons.js";
import { SpeechFault } from "./SpeechFault.js";
import "../styles/speech.css";

export function DictationStrip(): JSX.Element {
  const state = dictation.value;
  const { settled, tentative } = heard.value;
  if (state.name === "failed") return <Failed failure={state.failure} />;
  return (
    <section id="dictation" class="dictation" data-state={state.name} aria-label={s().dictation}>
      {settled + tentative === "" ? (
        <p class="muted">{status()}</p>
      ) : (
        // The spoken language need not be the page's.
        <p class="heard" dir="auto">
          {settled}
          <span class="tentative">{tentative}</span>
        </p>
      )}
      {state.name === "listening" && <MicrophoneChoice />}
      <IconButton id="dictation-options" name="settings" label={s().options} onClick={openSpeech} />
    </section>
  );
}

function openSpeech(): void {
  dialog.value = "speech";
}

function status(): string {
  switch (dictation.value.name) {
    case "listening":
      return s().listening;
    case "finishing":
      return s().finishing;
    default: {
      const model = speechModel.value;
      if (model.name !== "loading") return s().allow;
      const { source, loaded, total } = model;
      const amount = total > 0 ? ` ${t().amountOf(formatBytes(loaded), formatBytes(total))}` : "";
      return s().loadingModel(speechName(source)) + amount;
    }
  }
}

function MicrophoneChoice(): JSX.Element | null {
  const all = microphones.value;
  if (all.length < 2) return null;
  const { microphone } = settings.value;
  const chosen = all.some(({ deviceId }) => deviceId === microphone) ? microphone : "";
  return (
    <select
      id="microphone"
      aria-label={s().microphone}
      value={chosen}
      onChange={(event) => void changeMicrophone(event.currentTarget.value)}
    >
      <option value="">{s().byBrowser}</option>
      {all.map(({ deviceId, label }, index) => (
        <option key={deviceId} value={deviceId}>
          {label || s().unnamed(index + 1)}
        </option>
      ))}
    </select>
  );
}

function Failed({ failure }: { failure: SpeechFailure }): JSX.Element {
  const actions: ErrorAction[] = [];
  const { fault } = failure;
  if (fault !== "insecure" && fault !== "unsupported") {
    actions.push({ label: t().tryAgain, run: () => void again() });
  }
  if (fault !== "denied" && fault !== "denied_by_system") actions.push({ label: t().speech, run: openSpeech });
  actions.push({ label: s().dismiss, run: dismissFailure });
  return (
    <section id="dictation" class="dictation" data-state="failed" aria-label={s().dictation}>
      <SpeechFault failure={failure} actions={actions} />
    </section>
  );
}

async function again(): Promise<void> {
  dismissFailure();
  await startDictation();
}
