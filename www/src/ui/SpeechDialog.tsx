/** The dialog of speech: the model that listens, and recordings to transcribe. */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { refreshInstalled } from "../state/plan.js";
import { readySpeech, speechModel } from "../state/transcriber.js";
import { addRecordings, recallTranscripts, recordings } from "../state/transcripts.js";
import { t } from "../text/index.js";
import { s } from "../text/speech.js";
import { Dialog } from "./Dialog.js";
import { isWanted, startDictation } from "./dictate.js";
import { closeDialog } from "./dialogs.js";
import { Recordings } from "./Recordings.js";
import { SpeechModelCard } from "./SpeechModelCard.js";
import "../styles/speech.css";

export function SpeechDialog(): JSX.Element {
  const isReady = speechModel.value.name === "ready";
  useEffect(() => {
    void refreshInstalled();
    void recallTranscripts();
    return () => {
      // Without the dialog nobody expects the microphone to begin by itself.
      isWanted.value = false;
    };
  }, []);
  const isWaiting = recordings.value.some(({ state }) => state === "waiting");
  useEffect(() => {
    // The model of the last visit is taken again, if it is still here.
    if (isWaiting && speechModel.peek().name === "none") void readySpeech();
  }, [isWaiting]);
  useEffect(() => {
    if (!isReady || !isWanted.peek()) return;
    isWanted.value = false;
    closeDialog();
    void startDictation();
  }, [isReady]);
  return (
    <Dialog id="speech" title={t().speech} onClose={closeDialog}>
      <p class="muted small">{s().about}</p>
      <SpeechModelCard />
      <h3>{s().recordings}</h3>
      <label class="drop">
        <input
          id="recording-file"
          class="unseen"
          type="file"
          accept="audio/*,.wav,.mp3,.m4a,.ogg,.oga,.opus,.flac,.webm,.mp4"
          multiple
          onChange={(event) => {
            const files = [...(event.currentTarget.files ?? [])];
            // Choosing the same file again must count as a choice.
            event.currentTarget.value = "";
            addRecordings(files);
          }}
        />
        <span>{s().add}</span>
      </label>
      <Recordings />
    </Dialog>
  );
}
