/** The fields of a request for speech: checked by name, and as the module takes them. */
import { invalid } from "../core/errors.js";
import type { Sent } from "../backend/backend.js";
import { codeOf, LANGUAGES } from "./languages.js";
import type { SpeechInfo } from "./link.js";
import type { RunOptions } from "./module.js";
import type { AudioResponseFormat, TranscriptionCreateParams } from "./openai.js";

const FORMATS: readonly string[] = ["json", "text", "srt", "vtt", "verbose_json"] satisfies AudioResponseFormat[];
const KNOWN = new Set(
  (
    "file model language prompt response_format timestamp_granularities temperature stream signal onProgress vad_filter best_of " +
    "condition_on_previous_text no_speech_threshold logprob_threshold compression_ratio_threshold"
  ).split(" "),
);
/** Temperatures of openai/whisper. */
const TEMPERATURES = [0, 0.2, 0.4, 0.6, 0.8, 1];
/** Most texts that the module draws of a window. */
const MOST_DRAWN = 16;

type Task = RunOptions["task"];

export interface SpeechRequest {
  options: RunOptions;
  format: AudioResponseFormat;
  withSegments: boolean;
}

/** Returns the options of a run in which nothing was asked for. */
export function usualOptions(task: Task): RunOptions {
  return {
    task,
    temperatures: TEMPERATURES,
    bestOf: 1,
    timestamps: true,
    words: false,
    vadFilter: false,
    conditionOnPreviousText: false,
    noSpeechThreshold: 0.6,
    logprobThreshold: -1,
    compressionRatioThreshold: 2.4,
    seed: 0,
  };
}

export function toSpeechRequest(task: Task, params: Sent<TranscriptionCreateParams>, model: SpeechInfo): SpeechRequest {
  for (const [field, value] of Object.entries(params) as [string, unknown][]) {
    if (value === undefined || value === null || KNOWN.has(field)) continue;
    throw invalid(field, "absent, because it is not supported", value);
  }
  if (task === "translate" && !model.isMultilingual) {
    throw invalid("model", "a multilingual one to translate", `${model.name}, which knows English only`);
  }
  const options = usualOptions(task);
  const language = toLanguage(params.language, model);
  if (language !== undefined) options.language = language;
  const prompt = text("prompt", params.prompt);
  if (prompt !== undefined) options.prompt = prompt;
  options.temperatures = toTemperatures(params.temperature);
  options.vadFilter = flag("vad_filter", params.vad_filter) ?? false;
  options.bestOf = toBestOf(params.best_of);
  options.conditionOnPreviousText = flag("condition_on_previous_text", params.condition_on_previous_text) ?? false;
  options.noSpeechThreshold = number("no_speech_threshold", params) ?? options.noSpeechThreshold;
  options.logprobThreshold = number("logprob_threshold", params) ?? options.logprobThreshold;
  options.compressionRatioThreshold =
    number("compression_ratio_threshold", params) ?? options.compressionRatioThreshold;
  const format = toFormat(params);
  const granularities = toGranularities(params.timestamp_granularities, format);
  options.words = granularities.includes("word");
  return { options, format, withSegments: granularities.includes("segment") };
}

/** Returns the language's code for the module; undefined if it is to be detected, or the model has but one. */
export function toLanguage(value: unknown, { isMultilingual, languages, name }: SpeechInfo): string | undefined {
  const given = text("language", value);
  if (given === undefined || given === "") return undefined;
  const code = codeOf(given);
  if (code === undefined) throw invalid("language", "the code or English name of a language of Whisper", given);
  if (!isMultilingual && code !== "en")
    throw invalid("language", `absent or "en" for ${name}, which knows English only`, given);
  if (isMultilingual && !languages.includes(code)) {
    throw invalid("language", `one that ${name} knows, and ${LANGUAGES.get(code) ?? code} is none`, given);
  }
  return isMultilingual ? code : undefined;
}

function toFormat({ response_format, stream }: TranscriptionCreateParams): AudioResponseFormat {
  const format: string = response_format ?? "json";
  if (!FORMATS.includes(format)) throw invalid("response_format", `one of ${FORMATS.join(", ")}`, format);
  if (flag("stream", stream) === true && format !== "json" && format !== "text") {
    throw invalid("response_format", "json or text for a stream", format);
  }
  return format as AudioResponseFormat;
}

function toGranularities(value: unknown, format: AudioResponseFormat): unknown[] {
  if (value === undefined || value === null) return ["segment"];
  const isKnown = Array.isArray(value) && value.every((item) => item === "word" || item === "segment");
  if (!isKnown) throw invalid("timestamp_granularities", 'an array of "word" and "segment"', value);
  if (format !== "verbose_json") {
    throw invalid("timestamp_granularities", 'absent unless response_format is "verbose_json"', value);
  }
  return value.length === 0 ? ["segment"] : value;
}

function toTemperatures(value: unknown): number[] {
  if (value === undefined || value === null || value === 0) return TEMPERATURES;
  const all: unknown[] = Array.isArray(value) ? value : [value];
  const isRight = all.every((item) => typeof item === "number" && item >= 0 && item <= 2);
  if (all.length === 0 || !isRight) throw invalid("temperature", "a number from 0 to 2, or an array of such", value);
  return all as number[];
}

function toBestOf(value: unknown): number {
  if (value === undefined || value === null) return 1;
  const isRight = typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MOST_DRAWN;
  if (!isRight) throw invalid("best_of", `an integer from 1 to ${String(MOST_DRAWN)}`, value);
  return value;
}

function text(field: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw invalid(field, "a text", value);
  return value;
}

function flag(field: string, value: unknown): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "boolean") throw invalid(field, "true or false", value);
  return value;
}

function number(
  field: "no_speech_threshold" | "logprob_threshold" | "compression_ratio_threshold",
  params: Sent<TranscriptionCreateParams>,
): number | undefined {
  const value: unknown = params[field];
  if (value === undefined || value === null) return undefined;
  // JSON has no infinities.
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw invalid(field, "a finite number", typeof value === "number" ? String(value) : value);
  }
  return value;
}
