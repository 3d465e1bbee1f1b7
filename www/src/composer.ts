/** The field at the bottom: Enter sends, Shift+Enter starts a new line, Esc stops. */
import { byId } from "./dom.js";

const MAX_HEIGHT_PX = 220;

export interface ComposerEvents {
  onSend(text: string): void;
  onStop(): void;
}

export class Composer {
  readonly #form = byId("composer", HTMLFormElement);
  readonly #field = byId("prompt", HTMLTextAreaElement);
  readonly #send = byId("send", HTMLButtonElement);
  readonly #stop = byId("stop", HTMLButtonElement);
  #isRunning = false;

  constructor(events: ComposerEvents) {
    const submit = (): void => {
      const text = this.#field.value.trim();
      if (text === "" || this.#isRunning) return;
      this.text = "";
      events.onSend(text);
    };
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    this.#field.addEventListener("keydown", (event) => {
      // While an input method composes, Enter chooses a candidate.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      submit();
    });
    this.#field.addEventListener("input", () => {
      this.#resize();
    });
    this.#stop.addEventListener("click", () => {
      events.onStop();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#isRunning) events.onStop();
    });
  }

  set text(text: string) {
    this.#field.value = text;
    this.#resize();
  }

  set isRunning(isRunning: boolean) {
    this.#isRunning = isRunning;
    this.#send.hidden = isRunning;
    this.#stop.hidden = !isRunning;
    if (!isRunning) this.focus();
  }

  show(): void {
    this.#form.hidden = false;
    this.focus();
  }

  hide(): void {
    this.#form.hidden = true;
  }

  focus(): void {
    // On a touch screen this would open the keyboard over the answer.
    if (matchMedia("(hover: hover)").matches) this.#field.focus({ preventScroll: true });
  }

  #resize(): void {
    this.#field.style.height = "auto";
    this.#field.style.height = `${String(Math.min(this.#field.scrollHeight, MAX_HEIGHT_PX))}px`;
  }
}
