/** The recordings: how far each has been listened to, its text with times, and what can be done with it. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { formatClock } from "../lib/clock.js";
import { formatBytes } from "../lib/format.js";
import { languageName } from "../lib/language-name.js";
import { subtitles, type SubtitleFormat } from "../lib/subtitles.js";
import { announce } from "../state/announce.js";
import { isDictating } from "../state/dictating.js";
import { place } from "../state/draft.js";
import { screen } from "../state/screen.js";
import { speechModel } from "../state/transcriber.js";
import {
  recordings,
  removeRecording,
  retryRecording,
  stopRecording,
  textOf,
  type Recording,
} from "../state/transcripts.js";
import { language } from "../text/index.js";
import { s } from "../text/speech.js";
import { closeDialog } from "./dialogs.js";
import { IconButton } from "./icons.js";
import { insertWords } from "./prompt.js";
import { SpeechFault } from "./SpeechFault.js";

export function Recordings(): JSX.Element {
  const all = recordings.value;
  const busy = all.find(({ state }) => state === "listening");
  const isBlocked = all.some(({ state }) => state === "waiting");
  return (
    <>
      {all.length === 0 && <p class="muted small">{s().none}</p>}
      {isBlocked && speechModel.value.name === "none" && <p id="speech-no-model">{s().noModel}</p>}
      {isBlocked && isDictating.value && <p class="muted small">{s().stopsDictation}</p>}
      {all.length > 0 && (
        <ul id="recordings" class="recordings" aria-label={s().recordings}>
          {all.map((recording) => (
            <Card key={recording.key} recording={recording} />
          ))}
        </ul>
      )}
      {/* Inside the dialog, since everything outside a modal dialog is silent. Segments are not told: they are too many. */}
      <p id="speech-status" class="unseen" role="status">
        {s().status(busy?.name, all.filter(({ state }) => state === "done").length)}
      </p>
    </>
  );
}

function Card({ recording }: { recording: Recording }): JSX.Element {
  const { key, file, name, state, segments, failure } = recording;
  const again = {
    label: s().again,
    run: () => {
      retryRecording(key);
    },
  };
  const isOpen = state === "waiting" || state === "listening";
  return (
    <li data-state={state}>
      <div class="recording-head">
        <div class="about">
          <span class="wrap" dir="auto">
            {name}
          </span>
          <small class="muted">{facts(recording).join(" · ")}</small>
        </div>
        {isOpen && (
          <button
            type="button"
            class="quiet stop"
            aria-label={s().stopOf(name)}
            onClick={() => {
              stopRecording(key);
            }}
          >
            {s().stop}
          </button>
        )}
        <IconButton
          name="trash"
          label={s().remove(name)}
          onClick={() => {
            removeRecording(key);
          }}
        />
      </div>
      {state === "listening" && <Progress recording={recording} />}
      {failure !== undefined && <SpeechFault failure={failure} actions={[again]} />}
      {segments.length > 0 && <Segments recording={recording} />}
      {state === "done" && segments.length === 0 && <p class="muted small">{s().silent}</p>}
      <div class="row">
        {segments.length > 0 && <Uses recording={recording} />}
        {state === "stopped" && file !== undefined && (
          <button type="button" class="quiet" onClick={again.run}>
            {again.label}
          </button>
        )}
      </div>
    </li>
  );
}

function facts({ size, state, seconds, duration, language: spoken }: Recording): string[] {
  const known = [formatBytes(size)];
  if (state === "listening" && seconds !== undefined && duration !== undefined) {
    known.push(s().heard(formatClock(seconds), formatClock(duration)));
  } else if (duration !== undefined) {
    known.push(formatClock(duration));
  }
  if (spoken !== undefined) known.push(languageName(spoken, language.value));
  return [...known, s().states[state]];
}

function Progress({ recording: { name, seconds, duration } }: { recording: Recording }): JSX.Element {
  const isKnown = seconds !== undefined && duration !== undefined && duration > 0;
  return (
    <progress
      max={1}
      aria-label={s().progress(name)}
      {...(isKnown ? { value: Math.min(1, seconds / duration) } : {})}
    />
  );
}

function Segments({ recording: { name, segments } }: { recording: Recording }): JSX.Element {
  return (
    <ol class="segments" tabIndex={0} aria-label={s().segments(name)}>
      {segments.map(({ start, text }, index) => (
        <li key={index}>
          <time>{formatClock(start)}</time>
          <span dir="auto">{text.trim()}</span>
        </li>
      ))}
    </ol>
  );
}

/** The ways to take the text along. */
function Uses({ recording }: { recording: Recording }): JSX.Element {
  const outcome = useSignal("");
  const copy = async (text: string): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      outcome.value = s().copied;
    } catch {
      outcome.value = s().notCopied;
    }
  };
  const copySubtitles = (format: SubtitleFormat): JSX.Element => (
    <button type="button" data-format={format} onClick={() => void copy(subtitles(format, recording.segments))}>
      {s().copySubtitles(format.toUpperCase())}
    </button>
  );
  return (
    <>
      {screen.value === "chat" && (
        <button
          type="button"
          class="primary put-in"
          onClick={() => {
            insertWords(textOf(recording), place.peek());
            closeDialog();
            announce(s().wasPutIn);
          }}
        >
          {s().putIn}
        </button>
      )}
      <button type="button" data-format="text" onClick={() => void copy(textOf(recording))}>
        {s().copyText}
      </button>
      {copySubtitles("srt")}
      {copySubtitles("vtt")}
      <span class="muted small outcome" role="status">
        {outcome.value}
      </span>
    </>
  );
}
