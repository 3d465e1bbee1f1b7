/**
 * Substitute for the module that recognises speech: the same contract, no model. It checks the file's first letters, and "hears" one
 * word a second: `w1`, `w2` and so on. Tests change what it does by `fake`.
 */
import type {
  AudioWasm,
  NetworkWork,
  RunOptions,
  SpeechEvent,
  SubtitleKind,
  WasmHandedTensor,
  WasmSpeechLoader,
  WasmSpeechModel,
  WasmTranscriptionRun,
  WasmVoiceListener,
} from "../src/audio/module.js";

const AT_FIRST = {
  /** Makes the module fail to compile. */
  isBroken: false,
  isMultilingual: true,
  languages: ["en", "de", "zh", "cy"],
  /** Number of loads, and the last one's texts and bytes. */
  loads: 0,
  texts: {} as Record<string, string>,
  bytes: 0,
  /** Runs that were begun, freed, and are under way at once. */
  runs: [] as { options: RunOptions; samples: Float32Array; steps: number }[],
  freed: 0,
  live: 0,
  mostLive: 0,
  steps: 0,
  /** Step of a run at which the module traps, once. */
  trapAt: undefined as number | undefined,
  /** Keeps runs that begin now from ending by themselves. */
  isEndless: false,
  /** Milliseconds of a step. */
  stepMs: 0,
  resampled: [] as number[],
  /** Detectors that were begun and freed. */
  listeners: 0,
  freedListeners: 0,
  /** Error of `decodeWav`. */
  wavFault: undefined as Error | undefined,
  /** Whether the tensors of the last load were handed over, those that come, what a run asks of a network, and the answers. */
  isElsewhere: false,
  tensors: [] as string[],
  work: [] as NetworkWork[],
  answers: [] as number[],
  /** Events of a run; by default those of the words. */
  events: undefined as ((samples: Float32Array, options: RunOptions) => SpeechEvent[]) | undefined,
};

export const fake = { ...AT_FIRST };

/** Restores the state in which nothing has run. */
export function resetFake(): void {
  Object.assign(fake, AT_FIRST, { texts: {}, runs: [], resampled: [], tensors: [], work: [], answers: [] });
}

export class ModuleError extends Error {
  override readonly name = "HearthError";
  constructor(
    readonly code: string,
    message: string,
    readonly hint = "a hint",
  ) {
    super(message);
  }
}

export default function init(): Promise<unknown> {
  return fake.isBroken ? Promise.reject(new WebAssembly.CompileError("expected magic word")) : Promise.resolve({});
}

/** Returns what is heard in the sound: a segment for each of its seconds, from the second on in windows of two. */
export function wordEvents(samples: Float32Array, { words, language }: RunOptions): SpeechEvent[] {
  const duration = samples.length / 16_000;
  const segments = Array.from({ length: Math.ceil(duration) }, (_, id) => {
    const [start, end] = [id, Math.min(duration, id + 1)];
    const text = ` w${String(id + 1)}`;
    const numbers = { temperature: 0, avg_logprob: -0.25, compression_ratio: 1.5, no_speech_prob: 0.01 };
    const timed = words ? { words: [{ word: text, start, end }] } : {};
    return { id, seek: 0, start, end, text, tokens: [id], ...numbers, ...timed };
  });
  const first: SpeechEvent[] = [{ type: "progress", seconds: 0, duration }];
  if (language === undefined && fake.isMultilingual) first.push({ type: "language", language: "cy", probability: 0.9 });
  return [
    ...first,
    { type: "segments", segments: segments.slice(0, 1) },
    ...(segments.length > 1 ? [{ type: "segments" as const, segments: segments.slice(1) }] : []),
    { type: "done", duration },
  ];
}

class Run implements WasmTranscriptionRun {
  readonly #events: SpeechEvent[];
  readonly #isEndless = fake.isEndless;
  readonly #record: (typeof fake.runs)[number];
  #step = 0;
  #isFreed = false;

  constructor(samples: Float32Array, options: RunOptions) {
    this.#record = { samples, options, steps: 0 };
    fake.runs.push(this.#record);
    this.#events = (fake.events ?? wordEvents)(samples, options);
    fake.live++;
    fake.mostLive = Math.max(fake.mostLive, fake.live);
  }

  mel(): Float32Array {
    return new Float32Array(fake.isElsewhere ? 80 * 3000 : 0);
  }

  /** Goes on with the events of the words after whatever is asked. */
  answer(numbers: Float32Array): string {
    fake.answers.push(numbers.length);
    return JSON.stringify({ type: "progress", seconds: 0, duration: 1 });
  }

  next(): string | undefined {
    if (this.#isFreed) throw new Error("null pointer passed to rust");
    fake.steps++;
    this.#record.steps++;
    if (fake.stepMs > 0) for (const end = Date.now() + fake.stepMs; Date.now() < end;);
    if (this.#step === fake.trapAt) {
      fake.trapAt = undefined;
      fake.live--;
      throw new WebAssembly.RuntimeError("unreachable");
    }
    if (this.#isEndless && this.#step > 0) return JSON.stringify({ type: "progress", seconds: 0, duration: 9 });
    const work = fake.work.shift();
    if (work !== undefined) return JSON.stringify(work);
    const event = this.#events[this.#step++];
    return event === undefined ? undefined : JSON.stringify(event);
  }

  free(): void {
    this.#isFreed = true;
    fake.freed++;
    fake.live--;
  }
}

class Model implements WasmSpeechModel {
  info(): string {
    const { isMultilingual, languages } = fake;
    return JSON.stringify({
      isMultilingual,
      languages: isMultilingual ? languages : ["en"],
      nMels: 80,
      parameters: 7,
      bytes: fake.bytes,
    });
  }

  network(): string {
    return "sizes";
  }

  start(samples: Float32Array, options: string): Run {
    return new Run(samples, JSON.parse(options) as RunOptions);
  }

  free(): void {
    // Nothing to free.
  }
}

export class SpeechLoader implements WasmSpeechLoader {
  constructor() {
    fake.loads++;
    fake.texts = {};
    fake.bytes = 0;
    fake.isElsewhere = false;
  }

  handOver(): void {
    fake.isElsewhere = true;
  }

  handed(): WasmHandedTensor | undefined {
    const name = fake.isElsewhere ? fake.tensors.shift() : undefined;
    if (name === undefined) return undefined;
    return { name, rows: 2, cols: 4, halves: true, take: () => new Uint8Array(16), free: () => undefined };
  }

  finishElsewhere(): Model {
    return new Model();
  }

  text(name: string, text: string): void {
    fake.texts[name] = text;
  }

  push(chunk: Uint8Array): void {
    if (fake.bytes === 0 && String.fromCharCode(...chunk.subarray(0, 4)) !== "ggml") {
      throw new ModuleError("bad_file", "Whisper file is malformed at the first bytes");
    }
    fake.bytes += chunk.length;
  }

  finish(): Model {
    return new Model();
  }

  free(): void {
    // Nothing to free.
  }
}

/** Takes 32 ms for speech that are louder than a hundredth. */
export class VoiceListener implements WasmVoiceListener {
  readonly #frame: number;
  #left: number[] = [];

  constructor(rate: number) {
    fake.listeners++;
    this.#frame = Math.round(rate * 0.032);
  }

  hear(samples: Float32Array): Float32Array {
    this.#left.push(...samples);
    const found: number[] = [];
    while (this.#left.length >= this.#frame) {
      const power = this.#left.splice(0, this.#frame).reduce((sum, sample) => sum + sample * sample, 0);
      found.push(power / this.#frame > 1e-4 ? 0.9 : 0.1);
    }
    return Float32Array.from(found);
  }

  free(): void {
    fake.freedListeners++;
  }
}

export function decodeWav(bytes: Uint8Array): Float32Array {
  if (fake.wavFault !== undefined) throw fake.wavFault;
  // A test's sample is a byte after the 12 of the header.
  return Float32Array.from(bytes.subarray(12), (byte) => byte / 256);
}

export function resample(samples: Float32Array, rate: number): Float32Array {
  fake.resampled.push(rate);
  return new Float32Array(Math.ceil((samples.length * 16_000) / rate));
}

export function subtitles(kind: SubtitleKind, segments: string): string {
  return `${kind} ${segments}`;
}

/** The module, checked against its contract. */
export const MODULE: AudioWasm = { default: init, SpeechLoader, VoiceListener, decodeWav, resample, subtitles };
