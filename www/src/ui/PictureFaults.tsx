/** Failures of pictures for the reader: what happened, what to do about it, and the code to search for. */
import type { JSX } from "preact";
import type { PictureFailure } from "../state/picture-failure.js";
import { p } from "../text/pictures.js";
import type { ErrorAction } from "./ErrorCard.js";

export function PictureFaults({
  failures,
  actions,
}: {
  failures: readonly PictureFailure[];
  actions: readonly ErrorAction[];
}): JSX.Element {
  const codes = failures.map(({ fault }) => fault).join(" ");
  return (
    <div class="error" role="alert" data-code={codes}>
      {failures.map((failure) => (
        <Fault key={failure.fault} failure={failure} />
      ))}
      <div class="error-actions">
        {actions.map(({ label, run }, index) => (
          <button key={label} type="button" class={index === 0 ? "primary" : ""} onClick={run}>
            {label}
          </button>
        ))}
        <code class="error-code">{codes}</code>
      </div>
    </div>
  );
}

function Fault({ failure: { fault, names, error } }: { failure: PictureFailure }): JSX.Element {
  const [what, help] = p().failures[fault](names.join(p().comma));
  const own = error instanceof Error ? error.message : "";
  return (
    <>
      <p class="error-message">{what}</p>
      <p class="error-hint">{help}</p>
      {own !== "" && (
        // The browser's own words are not translated.
        <p class="small wrap" lang="en">
          {own}
        </p>
      )}
    </>
  );
}
