/** A transcriber whose ears a test dictates, in place of the package's. */
import { HearthError, type LoadProgress } from "hearth-llm";

type Part =
  | { type: "partial"; text: string; tentative: string; start: number; end: number }
  | { type: "final"; text: string; start: number; end: number };

interface Segment {
  start: number;
  end: number;
  text: string;
}

interface Progress {
  seconds: number;
  duration: number;
  segments: readonly Segment[];
}

interface FileRequest {
  file: File;
  language?: string;
  onProgress: (progress: Progress) => void;
}

const cancelled = (): HearthError => new HearthError("cancelled", "the request was stopped");

/** One use of the microphone. */
export class Listening {
  readonly #waiting: (Part | Error | "end")[] = [];
  #wake: () => void = () => undefined;

  constructor(readonly options: { stream: MediaStream; language?: string; signal: AbortSignal }) {
    options.signal.addEventListener("abort", () => {
      this.#put(cancelled());
    });
  }

  partial(text: string, tentative = ""): void {
    this.#put({ type: "partial", text, tentative, start: 0, end: 1 });
  }

  final(text: string): void {
    this.#put({ type: "final", text, start: 0, end: 1 });
  }

  fail(error: Error): void {
    this.#put(error);
  }

  /** The last text after the end of the sound, or an error. */
  last: string | Error | undefined;
  /** Whether the end never comes. */
  hangs = false;

  stop(): void {
    this.#put("end");
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Part> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      if (next instanceof Error) throw next;
      if (next !== "end") {
        yield next;
        continue;
      }
      if (this.hangs) await new Promise(() => undefined);
      if (this.last instanceof Error) throw this.last;
      if (this.last !== undefined) yield { type: "final", text: this.last, start: 1, end: 2 };
      return;
    }
  }

  #put(next: Part | Error | "end"): void {
    this.#waiting.push(next);
    this.#wake();
  }
}

/** One file that is listened to. */
export interface Hearing extends FileRequest {
  signal: AbortSignal;
  finish: (segments: Segment[], language?: string) => void;
  fail: (error: unknown) => void;
}

export class FakeTranscriber {
  /** All that were created, and what `create` was asked for. */
  static created: FakeTranscriber[] = [];
  static asked: { model: string | File[]; signal: AbortSignal; onProgress: (progress: LoadProgress) => void }[] = [];
  /** Waits before the next one is created. */
  static creating: (() => Promise<void>) | undefined;
  static model = { name: "whisper", isMultilingual: true, languages: ["en", "de", "zh"], bytes: 59_707_625 };

  readonly model = FakeTranscriber.model;
  readonly listenings: Listening[] = [];
  readonly hearings: Hearing[] = [];
  isDisposed = false;

  static async create(options: (typeof FakeTranscriber.asked)[number]): Promise<FakeTranscriber> {
    FakeTranscriber.asked.push(options);
    await FakeTranscriber.creating?.();
    if (options.signal.aborted) throw cancelled();
    const made = new FakeTranscriber();
    FakeTranscriber.created.push(made);
    return made;
  }

  static get last(): FakeTranscriber {
    const made = FakeTranscriber.created.at(-1);
    if (made === undefined) throw new Error("no transcriber was created");
    return made;
  }

  readonly audio = {
    live: (options: Listening["options"]): Listening => {
      const listening = new Listening(options);
      this.listenings.push(listening);
      return listening;
    },
    transcriptions: {
      create: (request: FileRequest, { signal }: { signal: AbortSignal }): Promise<unknown> =>
        new Promise((resolve, reject) => {
          signal.addEventListener("abort", () => {
            reject(cancelled());
          });
          this.hearings.push({
            ...request,
            signal,
            finish: (segments, language = "english") => {
              const text = segments.map((segment) => segment.text).join("");
              resolve({ text, language, duration: segments.at(-1)?.end ?? 0, segments });
            },
            fail: reject,
          });
        }),
    },
  };

  dispose(): void {
    this.isDisposed = true;
    for (const { fail } of this.hearings) fail(new HearthError("disposed", "it was disposed"));
  }
}

/** The module that stands for `hearth-llm/audio`. */
export const fakeAudio = {
  Transcriber: FakeTranscriber,
};
