/** The text of a run as its events bring it, and the answers in OpenAI's shapes. */
import { LANGUAGES } from "./languages.js";
import type { SpeechInfo } from "./link.js";
import type { SpeechEvent, TimedSegment } from "./module.js";
import type { Transcription, TranscriptionProgress, TranscriptionUsage, TranscriptionVerbose } from "./openai.js";
import type { SpeechRequest } from "./request.js";

export class Transcript {
  #segments: readonly TimedSegment[] = [];
  #joined = "";
  /** Length of the text that was returned as news. */
  #told = 0;
  #language: string | undefined;
  #seconds = 0;
  #duration = 0;

  /** Takes an event; returns the text that it adds. White space at the end waits for what follows. */
  take(event: SpeechEvent): string {
    switch (event.type) {
      case "progress":
      case "done":
        this.#duration = event.duration;
        this.#seconds = event.type === "done" ? event.duration : event.seconds;
        return "";
      case "language":
        this.#language ??= event.language;
        return "";
      case "segments": {
        // Another array, by which a page that shows the progress sees that there is something new.
        this.#segments = [...this.#segments, ...event.segments];
        this.#joined += event.segments.map(({ text }) => text).join("");
        const delta = this.text.slice(this.#told);
        this.#told += delta.length;
        return delta;
      }
    }
  }

  get segments(): readonly TimedSegment[] {
    return this.#segments;
  }

  get progress(): TranscriptionProgress {
    return { seconds: this.#seconds, duration: this.#duration, segments: this.#segments };
  }

  /** Text without white space around it. */
  get text(): string {
    return this.#joined.trim();
  }

  toJson(): Transcription {
    return { text: this.text, usage: this.#usage() };
  }

  toVerbose({ options, withSegments }: SpeechRequest, model: SpeechInfo): TranscriptionVerbose {
    const { task, words } = options;
    // Without anything said no language is detected, and of a translation it is the one that is written.
    const written = task === "translate" || !model.isMultilingual ? "en" : (options.language ?? this.#language);
    const language = written === undefined ? "unknown" : (LANGUAGES.get(written) ?? written);
    const verbose: TranscriptionVerbose = {
      task,
      language,
      duration: this.#duration,
      text: this.text,
      usage: this.#usage(),
    };
    if (withSegments) {
      verbose.segments = this.segments.map((segment) => {
        const plain = { ...segment };
        delete plain.words;
        return plain;
      });
    }
    if (words) {
      const all = this.segments.flatMap((segment) => segment.words ?? []);
      verbose.words = all.map(({ word, start, end }) => ({ word: word.trim(), start, end }));
    }
    return verbose;
  }

  #usage(): TranscriptionUsage {
    return { type: "duration", seconds: Math.ceil(this.#duration) };
  }
}
