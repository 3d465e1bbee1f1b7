/** A failure of speech for the reader: what happened, what to do about it, and the code to search for. */
import { HearthError } from "hearth-llm";
import type { JSX } from "preact";
import type { SpeechFailure } from "../state/speech-failure.js";
import { language } from "../text/index.js";
import { s } from "../text/speech.js";
import { zhErrors } from "../text/zh-errors.js";
import type { ErrorAction } from "./ErrorCard.js";

export function SpeechFault({
  failure: { fault, error },
  actions,
}: {
  failure: SpeechFailure;
  actions: readonly ErrorAction[];
}): JSX.Element {
  const [what, help] = s().failures[fault];
  return (
    <div class="error" role="alert" data-code={fault}>
      <p class="error-message">{what}</p>
      <p class="error-hint">{help}</p>
      {error !== undefined && <Reason error={error} />}
      <div class="error-actions">
        {actions.map(({ label, run }, index) => (
          <button key={label} type="button" class={index === 0 ? "primary" : ""} onClick={run}>
            {label}
          </button>
        ))}
        <code class="error-code">{error instanceof HearthError ? error.code : fault}</code>
      </div>
    </div>
  );
}

/** The error behind it: the package's own words, or the browser's, which are not translated. */
function Reason({ error }: { error: unknown }): JSX.Element | null {
  const own = error instanceof Error ? error.message : String(error);
  const translated = error instanceof HearthError && language.value === "zh-CN" ? zhErrors[error.code] : undefined;
  if (own === "") return null;
  return (
    <p class="small wrap">
      {translated !== undefined && <span>{translated} </span>}
      <span lang="en">{own}</span>
    </p>
  );
}
