/** The composer's button for dictation; what it starts is fetched when it is pressed for the first time. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { dictation, isDictating } from "../state/dictating.js";
import { t } from "../text/index.js";
import { Icon } from "./icons.js";

/** Time between two looks at the loudness, as it is shown to visitors who want little motion. */
const CALM_MS = 500;

type Dictate = typeof import("./dictate.js");

/** Returns the loudness of this moment; there is none before the first dictation. */
let level: Dictate["level"] = () => 0;

async function dictate(): Promise<Dictate> {
  const found = await import("./dictate.js");
  level = found.level;
  return found;
}

async function start(): Promise<void> {
  try {
    await (await dictate()).startDictation();
  } catch (error) {
    // Without a network the program's part may be missing.
    dictation.value = { name: "failed", failure: { fault: "broken", error } };
  }
}

/** Ends dictation; returns whether all that was said is in the message. */
export async function stopDictation(): Promise<boolean> {
  return isDictating.peek() ? (await dictate()).finishDictation() : true;
}

export function MicrophoneButton(): JSX.Element {
  const isOn = isDictating.value;
  const label = isOn ? t().stopDictating : t().dictate;
  const button = useRef<HTMLButtonElement>(null);
  useMeter(button, dictation.value.name === "listening");
  return (
    <button
      id="dictate"
      ref={button}
      type="button"
      class="round dictate"
      data-state={dictation.value.name}
      aria-pressed={isOn}
      aria-label={t().dictate}
      title={label}
      onMouseDown={(event) => {
        // The message keeps the focus, and with it the caret and a phone's keyboard.
        event.preventDefault();
      }}
      onClick={() => void (isOn ? stopDictation() : start())}
    >
      <Icon name="microphone" />
    </button>
  );
}

/** Gives the button the loudness as a property of its style. */
function useMeter(button: { readonly current: HTMLButtonElement | null }, isOn: boolean): void {
  useEffect(() => {
    if (!isOn) return;
    const show = (): void => {
      button.current?.style.setProperty("--level", level().toFixed(2));
    };
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    let stop: () => void;
    if (isCalm) {
      const timer = setInterval(show, CALM_MS);
      stop = () => {
        clearInterval(timer);
      };
    } else {
      let frame = 0;
      const next = (): void => {
        show();
        frame = requestAnimationFrame(next);
      };
      next();
      stop = () => {
        cancelAnimationFrame(frame);
      };
    }
    return () => {
      stop();
      button.current?.style.removeProperty("--level");
    };
  }, [isOn]);
}
