/// <reference lib="esnext.disposable" preserve="true" />
/** The translator: one translation model in a worker of its own, beside an engine or without one. */
import { Translations } from "../api/translations.js";
import { HearthError } from "../core/errors.js";
import type { CacheMode, DownloadOptions, LoadProgress, Notice } from "../core/protocol.js";
import type { TranslationLanguages } from "../translations/types.js";
import { ModuleInterpreter } from "./interpreter.js";
import { TranslationLink, type TranslatorInfo } from "./link.js";

export type TranslationModelSource = string | URL | Blob | FileSystemFileHandle | File[];

export interface TranslatorOptions {
  /**
   * The model to load, an encoder-decoder (T5, flan-T5, MADLAD, Marian, M2M100, NLLB), in one of these forms.
   *
   * A Hugging Face repository with safetensors or GGUF: `Helsinki-NLP/opus-mt-en-de`, optionally with `:Q8_0` for a quantisation
   * and `@revision`, or the address of its page.
   *
   * The address of a folder with safetensors (ending in `/`), or of `model.safetensors`.
   *
   * A GGUF file: an address, a File, Blob or file handle.
   *
   * All files of a folder, as an array.
   */
  model: TranslationModelSource;
  download?: DownloadOptions;
  /** Whether files from the network are kept on this device. Default: they are. See `hearth-llm/cache`. */
  cache?: CacheMode;
  onProgress?: (progress: LoadProgress) => void;
  onNotice?: (notice: Notice) => void;
  /** Aborts the load with `cancelled`. */
  signal?: AbortSignal;
  /** Address of `translation_bg.wasm`, if it was moved out of the package. */
  wasmUrl?: string | URL;
  /** Address of `translation-worker.js`, if it was moved out of the package. */
  workerUrl?: string | URL;
}

export class Translator {
  readonly model: TranslatorInfo;
  /** Languages that the model has. */
  readonly languages: TranslationLanguages;
  readonly translations: Translations;
  readonly #link: TranslationLink;

  private constructor(link: TranslationLink) {
    const interpreter = new ModuleInterpreter(link);
    this.#link = link;
    this.model = link.model;
    this.languages = interpreter.languages;
    this.translations = new Translations(() => Promise.resolve(interpreter));
  }

  /** Starts a worker and loads the model into it. On failure or abort nothing is left running. */
  static async create(options: TranslatorOptions): Promise<Translator> {
    return new Translator(await TranslationLink.open(options));
  }

  /** Ends the worker and frees everything it holds. Running requests and later calls reject with `disposed`. */
  dispose(): void {
    const hint = "Create a new translator: this one was disposed.";
    this.#link.close(new HearthError("disposed", "the translator was disposed", { hint }));
  }

  /** Disposes at the end of a block with `using`, in browsers that have it. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
