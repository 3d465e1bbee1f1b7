/** Translation models (T5, Marian, M2M100, NLLB), in a worker of their own with a WebAssembly module of their own. No text leaves the device. */
export { Translator } from "./translator.js";
export type { TranslationModelSource, TranslatorOptions } from "./translator.js";
export type { TranslatorInfo } from "./link.js";
export { Translations, type TranslationStream } from "../api/translations.js";
export type * from "../translations/types.js";
