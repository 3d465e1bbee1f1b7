/** Requests and answers of `translations.create`, on chat models and on models made for translation alike. */

/** Fields of each request. What is not among them is refused by name. */
export interface TranslationCreateParams {
  /** One text or several. Line breaks, blank lines and spaces stay as they are. */
  input: string | string[];
  /** Language of the input: a code of BCP 47, such as `de` or `zh-Hant`. Models that find it out need none. */
  source?: string | null;
  /** Language to translate into, a code like `source`; null for a model that has one target, or none. */
  target: string | null;
  /** Ignored: a translator has one model. */
  model?: string;
  stream?: boolean | null;
  /** Most tokens of the answer to each sentence, or to each part of the text that is asked for at once. */
  max_tokens?: number | null;
  /**
   * Answers that are written side by side, of which the likeliest counts: up to 16, for models made for translation. Default: 1.
   * Each costs as much as the first; `translator.model.beams` has the number that the model's files advise.
   */
  beams?: number | null;
  /** Sampling, for chat models. Default: what the model's makers advise for translations; otherwise `temperature` is 0. */
  temperature?: number | null;
  top_p?: number | null;
  top_k?: number | null;
  repetition_penalty?: number | null;
  seed?: number | null;
  signal?: AbortSignal | null;
}

export interface TranslationCreateParamsNonStreaming extends TranslationCreateParams {
  stream?: false | null;
}

export interface TranslationCreateParamsStreaming extends TranslationCreateParams {
  stream: true;
}

/**
 * Why a translation ends: `length` if a part of it was cut off, `repetition` if a part began to repeat itself, `empty` if the model
 * had nothing to say to a part.
 */
export type TranslationEnd = "stop" | "length" | "repetition" | "empty";

export interface Translation {
  /** Number of the text in the input. */
  index: number;
  text: string;
  /** Language of the input, if it was given. */
  source?: string;
  finish_reason: TranslationEnd;
}

export interface TranslationUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

export interface TranslationList {
  object: "list";
  model: string;
  /** In the order of the input. */
  data: Translation[];
  usage: TranslationUsage;
}

/** News of a streamed translation. Texts are translated one after another. */
export type TranslationStreamEvent =
  | { type: "translation.text.delta"; index: number; delta: string }
  /** A finished text, which counts where it differs from its deltas. */
  | ({ type: "translation.text.done" } & Translation)
  | { type: "translation.done"; model: string; usage: TranslationUsage };

/** Languages that a model translates, as codes of BCP 47. */
export interface TranslationLanguages {
  /** Undefined if nobody knows: a chat model is asked for any language. */
  sources: readonly string[] | undefined;
  targets: readonly string[] | undefined;
  /** Whether a request has to name the language of its input, and the one to translate into. */
  needsSource: boolean;
  needsTarget: boolean;
}
