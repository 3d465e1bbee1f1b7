/** Messages between the page and the worker that translates. */
import type { FromModule, ToModule } from "../core/module-protocol.js";
import type { CacheMode, DownloadOptions, Notice, SourceSpec } from "../core/protocol.js";
import type { ModuleInfo, ModuleLanguages, TranslationEvent } from "./module.js";

export interface TranslationLoadRequest {
  source: SourceSpec;
  download: DownloadOptions;
  cache: CacheMode;
  wasmUrl?: string;
}

export interface TranslationLoaded {
  info: ModuleInfo;
  languages: ModuleLanguages;
  /** Notices for the user, in chronological order. */
  notices: Notice[];
}

export interface TranslateRequest {
  text: string;
  source?: string;
  target?: string;
  maxTokens?: number;
  beams?: number;
}

/** Calls of the page, each with its parameters and result. */
export interface TranslationCalls {
  load: { params: TranslationLoadRequest; result: TranslationLoaded };
  translate: { params: TranslateRequest; result: null };
}

export type ToTranslationWorker = ToModule<TranslationCalls>;
export type FromTranslationWorker = FromModule<TranslationCalls, TranslationEvent>;
