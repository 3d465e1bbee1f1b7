/** One dictation, from the microphone's first sound to the last word. */
import { signal } from "@preact/signals";
import type { LiveTranscription, Transcriber } from "hearth-llm/audio";
import { dictation } from "./dictating.js";
import { openMicrophone, type Microphone } from "./microphone.js";
import { failureOf, isCancelled, type SpeechFailure } from "./speech-failure.js";
import { speechLanguage } from "./speech-language.js";

/** Words of the utterance that is being spoken: those that are settled, and the rest, which may still change. */
export const heard = signal({ settled: "", tentative: "" });

const NOTHING = { settled: "", tentative: "" };

export class Dictation {
  /** Resolves to the reason why it ended by itself; undefined if it was ended on purpose. */
  readonly done: Promise<SpeechFailure | undefined>;
  readonly #write: (words: string) => void;
  readonly #controller = new AbortController();
  readonly #abandoned: Promise<undefined>;
  #abandon: () => void = () => undefined;
  #microphone: Microphone | undefined;
  #live: LiveTranscription | undefined;
  #isEnding = false;
  #failure: SpeechFailure | undefined;

  /** Begins at once; each settled text goes to `write`. */
  constructor(transcriber: Transcriber, write: (words: string) => void) {
    this.#write = write;
    this.#abandoned = new Promise((resolve) => {
      this.#abandon = () => {
        resolve(undefined);
      };
    });
    this.done = this.#run(transcriber);
  }

  /** Returns the loudness of this moment, from 0 to 1. */
  level(): number {
    return this.#isEnding ? 0 : (this.#microphone?.level() ?? 0);
  }

  /** Ends the dictation when the last words are written; called again, it ends at once with what there is. */
  finish(): void {
    const isListening = this.#microphone !== undefined && !this.#isEnding;
    this.#isEnding = true;
    if (!isListening) {
      this.#controller.abort();
      this.#abandon();
      return;
    }
    this.#live?.stop();
    // The browser's sign that the page listens goes out at once.
    this.#microphone?.close();
    dictation.value = { name: "finishing" };
  }

  async #run(transcriber: Transcriber): Promise<SpeechFailure | undefined> {
    dictation.value = { name: "starting" };
    try {
      const microphone = await this.#open();
      if (microphone !== undefined) await this.#listen(transcriber, microphone.stream);
    } catch (error) {
      if (!(this.#isEnding && isCancelled(error))) this.#failure ??= failureOf(error);
    }
    this.#isEnding = true;
    this.#controller.abort();
    this.#microphone?.close();
    // Text that was shown is kept, even if nothing has settled it.
    const { settled, tentative } = heard.value;
    if (settled + tentative !== "") this.#write(settled + tentative);
    heard.value = NOTHING;
    dictation.value = this.#failure === undefined ? { name: "off" } : { name: "failed", failure: this.#failure };
    return this.#failure;
  }

  /** Opens the microphone; returns undefined if the visitor gave up while the browser was asking. */
  async #open(): Promise<Microphone | undefined> {
    const opening = openMicrophone(() => {
      this.#failure = { fault: "unplugged" };
      this.finish();
    });
    const opened = await Promise.race([opening, this.#abandoned]);
    // Given after all, it is given back; a refusal is of no interest any more.
    if (opened === undefined) {
      opening.then(
        ({ close }) => {
          close();
        },
        () => undefined,
      );
    }
    this.#microphone = opened;
    return opened;
  }

  async #listen(transcriber: Transcriber, stream: MediaStream): Promise<void> {
    // Ended just as the browser gave the microphone.
    if (this.#isEnding) return;
    dictation.value = { name: "listening" };
    const language = speechLanguage(transcriber.model);
    const { signal } = this.#controller;
    const live = transcriber.audio.live({ stream, signal, ...(language === undefined ? {} : { language }) });
    this.#live = live;
    const parts = live[Symbol.asyncIterator]();
    for (;;) {
      const coming = parts.next();
      const next = await Promise.race([coming, this.#abandoned]);
      if (next === undefined) {
        // The caller no longer waits for it.
        coming.catch(() => undefined);
        return;
      }
      if (next.done === true) return;
      const part = next.value;
      if (part.type === "partial") {
        heard.value = { settled: part.text, tentative: part.tentative };
        continue;
      }
      heard.value = NOTHING;
      this.#write(part.text);
    }
  }
}
