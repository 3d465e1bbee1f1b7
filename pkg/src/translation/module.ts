/**
 * The WebAssembly module that translates as TypeScript sees it: `translation/src/web.rs`, with its JSON. Written by hand.
 *
 * Every failure is a thrown Error named "HearthError" with `code`, `message` and `hint`.
 */

/** A file of a model's folder that the module reads. */
export interface ModuleFile {
  name: string;
  /** Whether it is given as bytes instead of a text. */
  binary: boolean;
  /** Whether each folder has it. */
  required: boolean;
}

/** Facts of a loaded model beside its name. */
export interface ModuleFacts {
  family: "t5" | "marian" | "m2m100" | "nllb";
  /** Licence that the files name. */
  licence: string | null;
  /** Number of weights. */
  parameters: number;
  /** Bytes that the weights take in memory. */
  bytes: number;
  /** Most tokens of a text; null if only its quality sets a limit. */
  maxInputTokens: number | null;
  maxOutputTokens: number;
  /** Number of beams that the files advise; 1 if they do not. */
  beams: number;
}

/** Facts of a loaded model, as the module tells them. */
export interface ModuleInfo extends ModuleFacts {
  /** Name that the files give the model. */
  name: string | null;
}

/** Languages of a model, as codes of BCP 47. */
export interface ModuleLanguages {
  /** None if the model is not told the language of its input. */
  sources: string[];
  /** None if it has no choice, and nothing says what it writes. */
  targets: string[];
  needsSource: boolean;
  needsTarget: boolean;
  /** Whether a text without a target is taken as it is, with an instruction of its own. */
  plain: boolean;
}

/** News of a run, returned as JSON. */
export type TranslationEvent =
  | { type: "encoding"; layer: number; layers: number }
  /** A token, and the characters that it completes, often none; of several beams those that all have. */
  | { type: "token"; text: string; tokens: number }
  /** The end, with the whole answer, which is what counts. */
  | { type: "done"; text: string; inputTokens: number; tokens: number; finish: "stop" | "length" | "repetition" };

export interface WasmTranslationRun {
  /** Does some work; returns its event as JSON, or undefined after the end. */
  step(): string | undefined;
  free(): void;
}

export interface WasmTranslator {
  /** Returns `ModuleInfo` as JSON. */
  info(): string;
  /** Returns `ModuleLanguages` as JSON. */
  languages(): string;
  /** Returns the number of tokens that a text takes as input. */
  countTokens(text: string, source?: string, target?: string): number;
  /** Begins to translate a piece of text. */
  begin(text: string, source?: string, target?: string, maxTokens?: number, beams?: number): WasmTranslationRun;
  free(): void;
}

export interface WasmTranslationLoader {
  /** Takes a text of the model's folder by its name. */
  text(name: string, text: string): void;
  /** Takes another file of the folder by its name. */
  file(name: string, bytes: Uint8Array): void;
  /** Takes the next bytes of the weights. */
  push(chunk: Uint8Array): void;
  /** Makes the model; the loader is used up. */
  finish(): WasmTranslator;
  free(): void;
}

export interface TranslationWasm {
  default(arg: { module_or_path: URL | string | Response | WebAssembly.Module }): Promise<unknown>;
  TranslationLoader: {
    new (): WasmTranslationLoader;
    /** Returns the files of a folder that the module reads, as a JSON list of `ModuleFile`. */
    files(): string;
  };
}
