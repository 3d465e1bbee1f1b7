/** The logic of the worker that recognises speech. */
import { HearthError, throwIfAborted, toHearthError } from "../../core/errors.js";
import type { ModuleCall } from "../../core/module-protocol.js";
import type { LoadProgress, Notice } from "../../core/protocol.js";
import { ModuleHost, startModule } from "../../worker/module-host.js";
import type { AudioWasm, ModuleInfo, SpeechEvent, WasmVoiceListener } from "../module.js";
import {
  SAMPLE_RATE,
  type FromSpeechWorker,
  type HearRequest,
  type SpeechCalls,
  type SpeechLoaded,
  type SpeechLoadRequest,
  type TranscribeRequest,
} from "../protocol.js";
import { loadSpeechModel, type LoadedSpeech } from "./load.js";
import { stepOnGpu, type NetworkCore } from "./network.js";

const PURPOSE = "recognises speech";

export interface SpeechHostOptions {
  wasm: AudioWasm;
  /** Address of `audio_bg.wasm` unless the page names another one. */
  wasmUrl: string | URL;
  /** The core, which is started only for a model on the GPU, and the address of `hearth_bg.wasm`. */
  core: NetworkCore;
  coreUrl: string | URL;
  post(message: FromSpeechWorker, transfer: Transferable[]): void;
}

export class SpeechHost extends ModuleHost<SpeechCalls, SpeechEvent> {
  readonly #options: SpeechHostOptions;
  /** Detectors of streams by their numbers. */
  readonly #listeners = new Map<number, WasmVoiceListener>();
  #loaded: LoadedSpeech | undefined;

  constructor(options: SpeechHostOptions) {
    super(PURPOSE, (message, transfer) => {
      options.post(message, transfer);
    });
    this.#options = options;
  }

  /** Ends the worker: the GPU device is lost, and with it the network, if it is there. */
  deviceLost(reason: string): void {
    if (this.#loaded?.network !== undefined) {
      this.end(new HearthError("device_lost", `the GPU device was lost: ${reason}`));
    }
  }

  /** Reports that the core trapped outside of any call. */
  trapped(error: unknown): void {
    this.end(toHearthError(error));
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
    const { wasm, wasmUrl, core, coreUrl } = this.#options;
    await startModule(wasm, request.wasmUrl ?? wasmUrl, PURPOSE, "audio_bg.wasm");
    throwIfAborted(signal);
    const notices: Notice[] = [];
    const report = (progress: LoadProgress): void => {
      this.report(id, progress);
    };
    const notify = (notice: Notice): void => {
      notices.push(notice);
    };
    this.#loaded = await loadSpeechModel(request, { wasm, core, coreUrl, signal, report, notify });
    const { model, network } = this.#loaded;
    const info = JSON.parse(model.info()) as Omit<ModuleInfo, "device">;
    if (network === undefined) return { info: { ...info, device: "cpu" }, notices };
    return { info: { ...info, device: "webgpu", bytes: network.bytes() }, notices };
  }

  #hear({ stream, sound }: HearRequest): Float32Array {
    const { VoiceListener } = this.#options.wasm;
    const listener = this.#listeners.get(stream) ?? new VoiceListener(sound.sampleRate);
    this.#listeners.set(stream, listener);
    return listener.hear(sound.samples);
  }

  async #transcribe(id: number, { sound, options }: TranscribeRequest, signal: AbortSignal): Promise<null> {
    if (this.#loaded === undefined) throw new HearthError("internal_error", "no model is loaded in this worker");
    const { samples, sampleRate } = sound;
    const heard = sampleRate === SAMPLE_RATE ? samples : this.#options.wasm.resample(samples, sampleRate);
    const { model, network } = this.#loaded;
    const run = model.start(heard, JSON.stringify(options));
    const step = network === undefined ? () => run.next() : () => stepOnGpu(run, network, signal);
    await this.steps(id, run, step, signal);
    return null;
  }
}
