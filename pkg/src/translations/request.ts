/** The fields of a request for translations: checked by name. */
import type { Sent } from "../backend/backend.js";
import { SAMPLING_RANGES } from "../core/contract.generated.js";
import { invalid } from "../core/errors.js";
import { canonical } from "./languages.js";
import type { TranslationCreateParams } from "./types.js";

const SAMPLING = ["temperature", "top_p", "top_k", "repetition_penalty", "seed"] as const;
const KNOWN = new Set<string>(["input", "source", "target", "model", "stream", "max_tokens", "beams", ...SAMPLING]);

/** Most beams, as `translation/src/beams.rs` has them. */
const MOST_BEAMS = 16;

export type Sampling = Partial<Record<(typeof SAMPLING)[number], number>>;

export interface TranslationRequest {
  inputs: string[];
  source?: string;
  target?: string;
  maxTokens?: number;
  /** Answers that are written side by side. */
  beams?: number;
  /** Sampling that was asked for. */
  sampling: Sampling;
}

export function toTranslationRequest(params: Sent<TranslationCreateParams>): TranslationRequest {
  for (const [field, value] of Object.entries(params) as [string, unknown][]) {
    if (value === undefined || value === null || KNOWN.has(field)) continue;
    throw invalid(field, "absent, because it is not supported", value);
  }
  const { source, target, stream, max_tokens: maxTokens, beams } = params;
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") {
    throw invalid("stream", "true or false", stream);
  }
  const request: TranslationRequest = { inputs: toInputs(params.input), sampling: toSampling(params) };
  if (isGiven(source)) request.source = canonical("source", source);
  if (isGiven(target)) request.target = canonical("target", target);
  if (isGiven(maxTokens)) {
    if (!Number.isInteger(maxTokens) || maxTokens < 1)
      throw invalid("max_tokens", "an integer of at least 1", maxTokens);
    request.maxTokens = maxTokens;
  }
  if (isGiven(beams)) {
    const isWithin = Number.isInteger(beams) && beams >= 1 && beams <= MOST_BEAMS;
    if (!isWithin) throw invalid("beams", `an integer from 1 to ${String(MOST_BEAMS)}`, beams);
    if (beams > 1) request.beams = beams;
  }
  return request;
}

function toInputs(input: unknown): string[] {
  const inputs: unknown[] = Array.isArray(input) ? input : [input];
  const isText = (one: unknown): one is string => typeof one === "string";
  if (inputs.length === 0 || !inputs.every(isText)) throw invalid("input", "a text or a list of texts", input);
  return inputs;
}

function toSampling(params: Sent<TranslationCreateParams>): Sampling {
  const sampling: Sampling = {};
  for (const field of SAMPLING) {
    const value: unknown = params[field];
    if (!isGiven(value)) continue;
    const { min, max, isInteger } = SAMPLING_RANGES[field];
    const isWithin =
      typeof value === "number" && value >= min && value <= max && (!isInteger || Number.isInteger(value));
    const kind = isInteger ? "an integer" : "a number";
    if (!isWithin) throw invalid(field, `${kind} from ${String(min)} to ${String(max)}`, value);
    sampling[field] = value;
  }
  return sampling;
}

function isGiven<Value>(value: Value | null | undefined): value is Value {
  return value !== undefined && value !== null;
}
