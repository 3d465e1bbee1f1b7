/** The logic of the worker that recognises speech. */
import { HearthError, throwIfAborted } from "../../core/errors.js";
import type { ModuleCall } from "../../core/module-protocol.js";
import type { Notice } from "../../core/protocol.js";
import { ModuleHost, startModule } from "../../worker/module-host.js";
import type { AudioWasm, ModuleInfo, SpeechEvent, WasmSpeechModel, WasmVoiceListener } from "../module.js";
import {
  SAMPLE_RATE,
  type FromSpeechWorker,
  type HearRequest,
  type SpeechCalls,
  type SpeechLoaded,
  type SpeechLoadRequest,
  type TranscribeRequest,
} from "../protocol.js";
import { loadSpeechModel } from "./load.js";

const PURPOSE = "recognises speech";

export interface SpeechHostOptions {
  wasm: AudioWasm;
  /** Address of `audio_bg.wasm` unless the page names another one. */
  wasmUrl: string | URL;
  post(message: FromSpeechWorker, transfer: Transferable[]): void;
}

export class SpeechHost extends ModuleHost<SpeechCalls, SpeechEvent> {
  readonly #options: SpeechHostOptions;
  /** Detectors of streams by their numbers. */
  readonly #listeners = new Map<number, WasmVoiceListener>();
  #model: WasmSpeechModel | undefined;

  constructor(options: SpeechHostOptions) {
    super(PURPOSE, (message, transfer) => {
      options.post(message, transfer);
    });
    this.#options = options;
  }

  // Async, so that what the module throws rejects.
  protected override async dispatch(
    message: ModuleCall<SpeechCalls>,
    signal: AbortSignal,
  ): Promise<SpeechCalls[keyof SpeechCalls]["result"]> {
    const { wasm } = this.#options;
    switch (message.call) {
      case "load":
        return await this.#load(message.id, message.params, signal);
      case "decodeWav":
        return wasm.decodeWav(message.params.bytes);
      case "transcribe":
        return await this.#transcribe(message.id, message.params, signal);
      case "hear":
        return this.#hear(message.params);
      case "forget":
        this.#listeners.get(message.params.stream)?.free();
        this.#listeners.delete(message.params.stream);
        return null;
      case "subtitles":
        return wasm.subtitles(message.params.kind, JSON.stringify(message.params.segments));
    }
  }

  async #load(id: number, request: SpeechLoadRequest, signal: AbortSignal): Promise<SpeechLoaded> {
    const { wasm, wasmUrl } = this.#options;
    await startModule(wasm, request.wasmUrl ?? wasmUrl, PURPOSE, "audio_bg.wasm");
    throwIfAborted(signal);
    const notices: Notice[] = [];
    this.#model = await loadSpeechModel(
      wasm,
      request,
      signal,
      (progress) => {
        this.report(id, progress);
      },
      (notice) => notices.push(notice),
    );
    return { info: JSON.parse(this.#model.info()) as ModuleInfo, notices };
  }

  #hear({ stream, sound }: HearRequest): Float32Array {
    const { VoiceListener } = this.#options.wasm;
    const listener = this.#listeners.get(stream) ?? new VoiceListener(sound.sampleRate);
    this.#listeners.set(stream, listener);
    return listener.hear(sound.samples);
  }

  async #transcribe(id: number, { sound, options }: TranscribeRequest, signal: AbortSignal): Promise<null> {
    if (this.#model === undefined) throw new HearthError("internal_error", "no model is loaded in this worker");
    const { samples, sampleRate } = sound;
    const heard = sampleRate === SAMPLE_RATE ? samples : this.#options.wasm.resample(samples, sampleRate);
    const run = this.#model.start(heard, JSON.stringify(options));
    await this.steps(id, run, () => run.next(), signal);
    return null;
  }
}
