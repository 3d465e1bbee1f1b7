/// <reference lib="esnext.disposable" preserve="true" />
/** The transcriber: one speech model in a worker of its own, beside an engine or without one. */
import { HearthError } from "../core/errors.js";
import type { CacheMode, DeviceChoice, DownloadOptions, LoadProgress, Notice } from "../core/protocol.js";
import { SpeechLink, type SpeechInfo } from "./link.js";
import { LiveTranscription, type LiveOptions } from "./live.js";
import { Transcriptions, Translations } from "./transcriptions.js";

export type SpeechModelSource = string | URL | Blob | FileSystemFileHandle | File[];

export interface TranscriberOptions {
  /**
   * The Whisper model to load, in one of these forms.
   *
   * A Hugging Face repository with safetensors: `openai/whisper-base`, optionally with `@revision`, or the address of its page.
   *
   * The address of a folder with safetensors (ending in `/`) or of `model.safetensors`.
   *
   * A ggml file of whisper.cpp, quantised or not: an address, a File, Blob or file handle.
   *
   * All files of a folder, as an array.
   */
  model: SpeechModelSource;
  /**
   * The device that computes the network. Default `"auto"`: the GPU for models larger than whisper-base, and the CPU for others and
   * where the GPU fails, which `onNotice` is told (`cpu_fallback`).
   */
  device?: DeviceChoice;
  download?: DownloadOptions;
  /** Whether files from the network are kept on this device. Default: they are. See `hearth-llm/cache`. */
  cache?: CacheMode;
  onProgress?: (progress: LoadProgress) => void;
  onNotice?: (notice: Notice) => void;
  /** Aborts the load with `cancelled`. */
  signal?: AbortSignal;
  /** Address of `audio_bg.wasm`, if it was moved out of the package. */
  wasmUrl?: string | URL;
  /** Address of `hearth_bg.wasm`, if it was moved out of the package. Models on the GPU need it. */
  coreUrl?: string | URL;
  /** Address of `audio-worker.js`, if it was moved out of the package. */
  workerUrl?: string | URL;
}

/** Requests for speech, with the names of OpenAI's client. */
export interface SpeechApi {
  readonly transcriptions: Transcriptions;
  readonly translations: Translations;
  /** Transcribes a microphone, or another stream of sound, as it comes. */
  live(options: LiveOptions): LiveTranscription;
}

export class Transcriber {
  readonly model: SpeechInfo;
  readonly audio: SpeechApi;
  readonly #link: SpeechLink;

  private constructor(link: SpeechLink) {
    this.#link = link;
    this.model = link.model;
    this.audio = {
      transcriptions: new Transcriptions(link),
      translations: new Translations(link),
      live: (options) => new LiveTranscription(link, options),
    };
  }

  /** Starts a worker and loads the model into it. On failure or abort nothing is left running. */
  static async create(options: TranscriberOptions): Promise<Transcriber> {
    return new Transcriber(await SpeechLink.open(options));
  }

  /** Ends the worker and frees everything it holds. Running requests and later calls reject with `disposed`. */
  dispose(): void {
    const hint = "Create a new transcriber: this one was disposed.";
    this.#link.close(new HearthError("disposed", "the transcriber was disposed", { hint }));
  }

  /** Disposes at the end of a block with `using`, in browsers that have it. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
