/** Live transcription: utterances are written down as they end, and what they seem to say while they are spoken. */
import { followSignals } from "../api/signals.js";
import { ChunkQueue } from "../backend/chunk-queue.js";
import { cancelled, type HearthError, invalid, throwIfAborted, toHearthError } from "../core/errors.js";
import { Lock } from "../core/lock.js";
import { Agreement } from "./agreement.js";
import { capture } from "./capture.js";
import { Endpointer, LONGEST, type Boundary } from "./endpoint.js";
import type { Speech } from "./link.js";
import type { RunOptions } from "./module.js";
import type { AudioSamples } from "./protocol.js";
import { Recording } from "./recording.js";
import { toLanguage, usualOptions } from "./request.js";
import { Transcript } from "./transcript.js";
import { Voice } from "./voice.js";

/** Seconds of new speech that a partial text is worth, and those where the last one took longer than `SLOW_MS`. */
const STEP = 0.5;
const SLOW_STEP = 1;
const SLOW_MS = 1000;
/** Seconds of a microphone's sound that are searched for speech later than they come, at most. */
const LATE = 1;
/** Seconds of sound outside of utterances that are kept, for a beginning is noticed late. */
const KEPT = 4;

export interface LiveOptions {
  /**
   * A microphone's stream, which stays the caller's, or sound of one channel in blocks, all of the same rate, which is cancelled
   * when the transcription ends.
   */
  stream: MediaStream | ReadableStream<AudioSamples>;
  /** Spoken language: a code such as `en`, or its English name. Default: it is detected in each utterance. */
  language?: string | null;
  /** Whether a detector of voice finds the utterances, in noise too; otherwise their energy does. Default true. */
  vad?: boolean | null;
  signal?: AbortSignal | null;
  /** Called with each text, in addition to the iteration. */
  onText?: ((text: LiveText) => void) | null;
}

/** Text of an utterance while it is spoken, or when it has ended. Times are seconds from the beginning. */
export type LiveText =
  | {
      type: "partial";
      /** Text that two successive hypotheses agree on, which seldom changes any more. */
      text: string;
      /** Rest of the last hypothesis, which may still change. */
      tentative: string;
      start: number;
      end: number;
    }
  | { type: "final"; text: string; start: number; end: number };

/** An utterance that has ended. */
interface Span {
  from: number;
  to: number;
  /** Resolves when its text was given, or there is none. */
  done: Promise<void>;
}

export class LiveTranscription implements AsyncIterable<LiveText> {
  readonly #speech: Speech;
  readonly #options: LiveOptions;
  readonly #texts = new ChunkQueue<LiveText>();
  readonly #controller: AbortController;
  readonly #unlink: () => void;
  readonly #recording = new Recording();
  readonly #agreement = new Agreement();
  readonly #finals = new Lock();
  /** Utterances without a text: the one that runs, and at most one that waits. */
  #spans: Span[] = [];
  #reader: ReadableStreamDefaultReader<AudioSamples> | undefined;
  #endpointer: Endpointer | undefined;
  #voice: Voice | undefined;
  #rate = 0;
  #run: RunOptions = usualOptions("transcribe");
  /** Sample at which the utterance that is spoken begins. */
  #start: number | undefined;
  /** Partial text that is being made. */
  #partial: AbortController | undefined;
  /** Sample up to which a partial text has heard, and what the last one took. */
  #heard = 0;
  #tookMs = 0;
  #hasText = false;
  #isStopped = false;

  /** @internal */
  constructor(speech: Speech, options: LiveOptions) {
    this.#speech = speech;
    this.#options = options;
    const { controller, unlink } = followSignals([options.signal]);
    this.#controller = controller;
    this.#unlink = unlink;
    controller.signal.addEventListener("abort", () => {
      void this.#reader?.cancel().catch(() => undefined);
    });
    void this.#listen();
  }

  /** Ends the sound: what was said so far is still written down, and then the iteration ends. */
  stop(): void {
    this.#isStopped = true;
    void this.#reader?.cancel().catch(() => undefined);
  }

  /** Iterates over the texts. Leaving the loop ends the transcription. */
  [Symbol.asyncIterator](): AsyncIterator<LiveText, undefined> {
    const texts = this.#texts[Symbol.asyncIterator]();
    return {
      next: () => texts.next(),
      return: async () => {
        this.#controller.abort();
        await texts.return?.();
        return { done: true, value: undefined };
      },
    };
  }

  /** Hears until the sound ends. Does not reject. */
  async #listen(): Promise<void> {
    const { signal } = this.#controller;
    try {
      const language = toLanguage(this.#options.language, this.#speech.model);
      // An utterance is one window, which needs no times.
      this.#run = { ...this.#run, timestamps: false, ...(language === undefined ? {} : { language }) };
      const { stream } = this.#options;
      const blocks = "getAudioTracks" in stream ? await capture(stream) : stream;
      if (blocks.locked) throw invalid("stream", "one that nothing else reads", "a locked one");
      this.#reader = blocks.getReader();
      if (signal.aborted || this.#isStopped) await this.#reader.cancel();
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (done || signal.aborted) break;
        await this.#take(value);
      }
      const heard = await this.#voice?.finish();
      for (const boundary of this.#endpointer?.push(new Float32Array(), heard) ?? []) await this.#cross(boundary);
      for (const boundary of this.#endpointer?.finish() ?? []) await this.#cross(boundary);
      await Promise.all(this.#spans.map(({ done }) => done));
      throwIfAborted(signal);
      this.#texts.close();
    } catch (error) {
      this.#fail(toHearthError(error));
    } finally {
      this.#voice?.close();
      this.#unlink();
    }
  }

  async #take({ samples, sampleRate }: AudioSamples): Promise<void> {
    if (this.#endpointer === undefined) {
      const isRate = Number.isFinite(sampleRate) && sampleRate > 0;
      if (!isRate) throw invalid("stream", "blocks with a sampleRate in hertz", String(sampleRate));
      this.#rate = sampleRate;
      this.#endpointer = new Endpointer(sampleRate);
      if (this.#options.vad ?? true) this.#voice = new Voice(this.#speech, sampleRate, this.#isLive ? LATE : 0);
    }
    if (sampleRate !== this.#rate) throw invalid("stream", `blocks of ${String(this.#rate)} Hz throughout`, sampleRate);
    this.#recording.push(samples);
    const heard = await this.#voice?.hear(samples);
    for (const boundary of this.#endpointer.push(samples, heard)) await this.#cross(boundary);
    this.#guess();
    const least = this.#recording.end - KEPT * this.#rate;
    this.#recording.forget(Math.min(least, this.#start ?? Infinity, this.#spans[0]?.from ?? Infinity));
  }

  async #cross({ type, at }: Boundary): Promise<void> {
    if (type === "start") {
      this.#start = at;
      this.#heard = this.#spoken;
      this.#agreement.reset();
      return;
    }
    const from = this.#start ?? at;
    this.#start = undefined;
    // The final text says more, and sooner if the worker is free.
    this.#partial?.abort();
    await this.#end(from, at);
  }

  /** Writes an utterance down in its turn; waits while two are ahead of it. */
  async #end(from: number, to: number): Promise<void> {
    const last = this.#spans.at(-1);
    // A device that cannot keep up does less work with both in one window. Other streams wait instead.
    if (this.#isLive && last !== undefined && this.#spans.length > 1 && to - last.from <= LONGEST * this.#rate) {
      last.to = to;
      return;
    }
    while (this.#spans.length > 1) await this.#spans[0]?.done;
    const span: Span = { from, to, done: Promise.resolve() };
    this.#spans.push(span);
    span.done = this.#finals.run(() => this.#finish(span));
  }

  /** Gives the final text of an utterance. Does not reject. */
  async #finish(span: Span): Promise<void> {
    const { from, to } = span;
    try {
      const text = await this.#textOf(from, to, this.#run, this.#controller.signal);
      // Partial texts are replaced, if need be by nothing.
      if (text !== "" || this.#hasText) this.#give({ type: "final", text, ...this.#times(from, to) });
      this.#hasText = false;
    } catch (error) {
      this.#fail(toHearthError(error));
    } finally {
      this.#spans = this.#spans.filter((other) => other !== span);
    }
  }

  get #isLive(): boolean {
    return "getAudioTracks" in this.#options.stream;
  }

  /** Sample up to which there was speech. */
  get #spoken(): number {
    return this.#endpointer?.spoken ?? 0;
  }

  /** Begins a partial text if there is enough new speech and nothing else to do. */
  #guess(): void {
    const from = this.#start;
    const to = this.#recording.end;
    const step = (this.#tookMs > SLOW_MS ? SLOW_STEP : STEP) * this.#rate;
    if (from === undefined || this.#spans.length > 0 || this.#partial !== undefined) return;
    if (this.#spoken - this.#heard < step) return;
    this.#heard = to;
    const { controller, unlink } = followSignals([this.#controller.signal]);
    this.#partial = controller;
    const began = performance.now();
    // Other temperatures would only make it late.
    this.#textOf(from, to, { ...this.#run, temperatures: [0] }, controller.signal)
      .then((hypothesis) => {
        this.#tookMs = performance.now() - began;
        if (controller.signal.aborted) return;
        const { settled, tentative } = this.#agreement.add(hypothesis);
        if (settled === "" && tentative === "") return;
        this.#hasText = true;
        this.#give({ type: "partial", text: settled, tentative, ...this.#times(from, to) });
      })
      .catch((error: unknown) => {
        if (!controller.signal.aborted) this.#fail(toHearthError(error));
      })
      .finally(() => {
        unlink();
        this.#partial = undefined;
      });
  }

  async #textOf(from: number, to: number, options: RunOptions, signal: AbortSignal): Promise<string> {
    const sound = { samples: this.#recording.slice(from, to), sampleRate: this.#rate };
    const transcript = new Transcript();
    await this.#speech.transcribe(sound, options, { signal, onEvent: (event) => transcript.take(event) });
    return transcript.text;
  }

  #times(from: number, to: number): { start: number; end: number } {
    return { start: from / this.#rate, end: to / this.#rate };
  }

  #give(text: LiveText): void {
    if (this.#controller.signal.aborted) return;
    this.#texts.push(text);
    this.#options.onText?.(text);
  }

  #fail(error: HearthError): void {
    const { signal } = this.#controller;
    this.#texts.fail(signal.aborted ? cancelled(signal.reason) : error);
    this.#controller.abort(error);
  }
}
