/** Requests for speech as OpenAI's client sends them: a form, which `createFetch` passes to a transcriber. */
import type { CompletionStream } from "../api/stream.js";
import { HearthError, invalid } from "../core/errors.js";
import type { TranscriptionCreateParams } from "./openai.js";
import type { Transcriber } from "./transcriber.js";

const NUMBERS = new Set([
  "temperature",
  "no_speech_threshold",
  "logprob_threshold",
  "compression_ratio_threshold",
  "best_of",
]);
const FLAGS = new Set(["stream", "vad_filter", "condition_on_previous_text"]);

/** Routes under `audio/`. */
export type AudioRoute = "transcriptions" | "translations";

export async function answerForm(
  { audio }: Pick<Transcriber, "audio">,
  route: AudioRoute,
  request: Request,
  signal: AbortSignal,
): Promise<object | string | CompletionStream<object>> {
  const form = await request.formData().catch((cause: unknown) => {
    throw new HearthError("invalid_request", "the request's body is not a form (multipart/form-data)", { cause });
  });
  return await audio[route].create(toParams(form), { signal });
}

/** Returns the fields with their types, which a form does not have. Unknown ones are refused later, by name. */
function toParams(form: FormData): TranscriptionCreateParams {
  const fields: Record<string, unknown> = {};
  for (const key of new Set(form.keys())) {
    const values = form.getAll(key).map((value) => (typeof value === "string" ? toValue(key, value) : value));
    // Lists have brackets after their names, or come one by one.
    const isList = key.endsWith("[]") || values.length > 1;
    fields[key.replace(/\[\]$/, "")] = isList ? values : values[0];
  }
  const { file } = fields;
  if (!(file instanceof Blob)) throw invalid("file", "a file", file);
  return { ...fields, file };
}

function toValue(key: string, text: string): unknown {
  const name = key.replace(/\[\]$/, "");
  if (FLAGS.has(name) && /^(true|false)$/.test(text)) return text === "true";
  return NUMBERS.has(name) && text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
}
