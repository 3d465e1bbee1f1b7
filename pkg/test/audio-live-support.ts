/** Doubles for live transcription: runs that a test answers, sound that it pushes, a microphone, and what comes of them. */
import { expect, vi } from "vitest";
import { LiveTranscription, type LiveOptions, type LiveText } from "../src/audio/live.js";
import type { RunCalls, Speech, SpeechInfo } from "../src/audio/link.js";
import type { RunOptions } from "../src/audio/module.js";
import type { AudioSamples } from "../src/audio/protocol.js";
import { HearthError } from "../src/core/errors.js";
import { VoiceListener } from "./audio-module.js";
import { RATE } from "./audio-support.js";

const MODEL: SpeechInfo = {
  name: "whisper-base",
  isMultilingual: true,
  languages: ["en", "de"],
  device: "cpu",
  nMels: 80,
  parameters: 1,
  bytes: 1,
};

/** A run that a test answers. */
export interface Asked {
  seconds: number;
  options: RunOptions;
  isAborted: () => boolean;
  answer: (text: string) => void;
  fail: (error: Error) => void;
}

/** A link whose runs end when a test says so. */
export class ManualSpeech implements Speech {
  readonly model = MODEL;
  readonly asked: Asked[] = [];
  /** Runs that have not ended. */
  running = 0;
  most = 0;
  readonly listeners = new Map<number, VoiceListener>();
  isDeaf = false;

  transcribe({ samples, sampleRate }: AudioSamples, options: RunOptions, calls: RunCalls): Promise<void> {
    this.most = Math.max(this.most, ++this.running);
    return new Promise<void>((resolve, reject) => {
      calls.signal.addEventListener("abort", () => {
        reject(new HearthError("cancelled", "cancelled"));
      });
      this.asked.push({
        seconds: samples.length / sampleRate,
        options,
        isAborted: () => calls.signal.aborted,
        answer: (text) => {
          const numbers = { temperature: 0, avg_logprob: 0, compression_ratio: 1, no_speech_prob: 0 };
          const segment = { id: 0, seek: 0, start: 0, end: 1, text, tokens: [], ...numbers };
          calls.onEvent({ type: "segments", segments: [segment] });
          resolve();
        },
        fail: reject,
      });
    }).finally(() => {
      this.running--;
    });
  }

  /** Fails if there is no detector. */
  hear(stream: number, { samples, sampleRate }: AudioSamples): Promise<Float32Array> {
    if (this.isDeaf) return Promise.reject(new HearthError("worker_died", "the worker died"));
    const listener = this.listeners.get(stream) ?? new VoiceListener(sampleRate);
    this.listeners.set(stream, listener);
    return Promise.resolve(listener.hear(samples));
  }

  forget(stream: number): Promise<void> {
    this.listeners.delete(stream);
    return Promise.resolve();
  }

  decodeWav(): never {
    throw new Error("nothing is decoded");
  }

  subtitles(): never {
    throw new Error("there are no subtitles");
  }
}

/** Sound that a test pushes. */
export class Source {
  isCancelled = false;
  /** Blocks that were not taken yet. */
  readonly waiting: AudioSamples[] = [];
  readonly stream: ReadableStream<AudioSamples>;
  #isOver = false;
  #wake: () => void = () => undefined;
  #phase = 0;

  constructor(readonly rate = RATE) {
    this.stream = new ReadableStream<AudioSamples>(
      {
        pull: async (controller) => {
          while (this.waiting.length === 0 && !this.#isOver) {
            await new Promise<void>((resolve) => {
              this.#wake = resolve;
            });
          }
          const block = this.waiting.shift();
          if (block === undefined) controller.close();
          else controller.enqueue(block);
        },
        cancel: () => {
          this.isCancelled = true;
          this.#isOver = true;
          this.#wake();
        },
      },
      { highWaterMark: 0 },
    );
  }

  quiet(seconds: number): this {
    return this.#push(seconds, 0);
  }

  /** Pushes a tone that comes and goes four times a second, in blocks of a quarter of a second. */
  speech(seconds: number): this {
    for (let left = seconds; left > 0.001; left -= 0.25) this.#push(Math.min(0.25, left), 0.3);
    return this;
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  #push(seconds: number, loud: number): this {
    const samples = Float32Array.from({ length: Math.round(seconds * this.rate) }, () => {
      const time = this.#phase++ / this.rate;
      return loud * Math.sin(2 * Math.PI * 440 * time) * Math.sin(2 * Math.PI * 4 * time) ** 2;
    });
    this.waiting.push({ samples, sampleRate: this.rate });
    this.#wake();
    return this;
  }
}

/** A transcription under test. */
export class Live {
  readonly speech = new ManualSpeech();
  source = new Source();
  readonly texts: LiveText[] = [];
  failure: unknown;
  /** Resolves when the iteration has ended. */
  ended: Promise<void> = Promise.resolve();

  /** Begins a transcription and reads it to its end. */
  listen(options: Partial<LiveOptions> = {}): LiveTranscription {
    const live = new LiveTranscription(this.speech, { stream: this.source.stream, ...options });
    this.ended = this.#read(live);
    return live;
  }

  /** Waits until so many runs were asked for; returns the last one. */
  async run(count: number): Promise<Asked> {
    return await vi.waitFor(() => {
      const asked = this.speech.asked[count - 1];
      if (asked === undefined) throw new Error(`there is no run ${String(count)}`);
      return asked;
    });
  }

  /** Texts in short: finals after `!`, partial ones after `?` with their two parts. */
  get seen(): string[] {
    return this.texts.map((text) => (text.type === "final" ? `! ${text.text}` : `? ${text.text}|${text.tentative}`));
  }

  async #read(live: LiveTranscription): Promise<void> {
    try {
      for await (const text of live) this.texts.push(text);
    } catch (error) {
      this.failure = error;
    }
  }
}

export const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

export interface Device {
  stream: MediaStream;
  context: { isClosed: boolean; resumed: number };
  /** Waits until the page hears. */
  opened(): Promise<void>;
  play(sound: Source): void;
  /** Takes the device away. */
  end(): void;
  /** Ends the track as a page does, which gives no event. */
  stop(): void;
}

/** Gives the page a microphone. */
export function useMicrophone({ addModule = (): Promise<void> => Promise.resolve() } = {}): Device {
  const context = { isClosed: false, resumed: 0 };
  const track = Object.assign(new EventTarget(), { readyState: "live" });
  const port: { onmessage: ((event: { data: Float32Array }) => void) | null } = { onmessage: null };
  class Node {
    port = port;
    connect(): void {
      // There is nothing to hear.
    }
    disconnect(): void {
      port.onmessage = null;
    }
  }
  class Context {
    sampleRate = 48_000;
    state = "suspended";
    audioWorklet = { addModule };
    createMediaStreamSource(): Node {
      return new Node();
    }
    resume(): Promise<void> {
      context.resumed++;
      return Promise.resolve();
    }
    close(): Promise<void> {
      context.isClosed = true;
      return Promise.resolve();
    }
  }
  vi.stubGlobal("AudioContext", Context);
  vi.stubGlobal("AudioWorkletNode", Node);
  return {
    stream: { getAudioTracks: () => [track] } as unknown as MediaStream,
    context,
    opened: () =>
      vi.waitFor(() => {
        expect(port.onmessage).not.toBeNull();
      }),
    play: ({ waiting }) => {
      for (const { samples } of waiting) port.onmessage?.({ data: samples });
    },
    end: () => {
      track.readyState = "ended";
      track.dispatchEvent(new Event("ended"));
    },
    stop: () => {
      track.readyState = "ended";
    },
  };
}
