/** Contents of messages: texts, and the user's pictures among them. */
import type { PictureDetail, PictureInput } from "../api/openai.js";
import { HearthError, invalid } from "../core/errors.js";
import type { AskedContent, AskedPart, PicturePart, TextLanguages } from "../core/protocol.js";

export type Content = AskedContent<PictureInput>;
type Part = AskedPart<PictureInput>;

const DETAILS = ["auto", "low", "high"];

/** Reads a message's content: a text, or parts where a message of the user has pictures or texts with languages. */
export function toContent(field: string, content: unknown, role: string): string | Part[] {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) throw invalid(field, "a string or a list of parts", content);
  const parts = content.map((part: unknown, index) => toPart(`${field}[${String(index)}]`, part, role));
  return merged(parts);
}

/** Reads a text or a picture that is embedded. */
export function toEmbedded(field: string, part: unknown): { text: string } | PicturePart<PictureInput> {
  const found = toPart(field, part, "user");
  return found.type === "text" ? { text: found.text } : found;
}

/** Joins contents; the result has parts only if there is a picture, or a text with languages. */
export function joined(...contents: (Content | undefined)[]): string | Part[] {
  return merged(
    contents.flatMap((content): Part[] => {
      if (typeof content === "string") return [{ type: "text", text: content }];
      return content ?? [];
    }),
  );
}

/** Returns the text of a content, without its pictures. */
export function textOf(content: Content): string {
  if (typeof content === "string") return content;
  return (content ?? []).map((part) => (part.type === "text" ? part.text : "")).join("");
}

function toPart(field: string, part: unknown, role: string): Part {
  const { type, text, refusal, image_url, ...others } = (part ?? {}) as Record<string, unknown>;
  if (type === "image_url") {
    if (role !== "user") throw invalid(field, "text, as pictures are the user's only", type);
    return toPicture(`${field}.image_url`, image_url);
  }
  if (type === "input_audio") throw deaf(field);
  const found = type === "refusal" ? refusal : type === "text" ? text : undefined;
  const expected = role === "user" ? "text and image_url parts only" : "text parts only";
  if (typeof found !== "string") throw invalid(field, expected, type);
  return { type: "text", text: found, ...toLanguages(field, others, role) };
}

/** Returns the error of sound in a message: no model that runs here hears. */
export function deaf(field: string): HearthError {
  const message = `invalid request: ${field} is sound (input_audio), and no model on this device hears in a chat`;
  const hint =
    "Have it transcribed first, by transcriber.audio.transcriptions.create of hearth-llm/audio or at /v1/audio/transcriptions, and send the text.";
  return new HearthError("invalid_request", message, { hint });
}

/** Reads the languages of a text to translate, which are for the template. */
function toLanguages(field: string, part: Record<string, unknown>, role: string): Partial<TextLanguages> {
  const languages: Partial<TextLanguages> = {};
  for (const key of ["source_lang_code", "target_lang_code"] as const) {
    const code = part[key];
    if (code === undefined || code === null) continue;
    if (role !== "user") throw invalid(`${field}.${key}`, "absent, as texts to translate are the user's only", code);
    if (typeof code !== "string") throw invalid(`${field}.${key}`, "the code of a language", code);
    languages[key] = code;
  }
  return languages;
}

/** Reads a picture. Some clients of OpenAI's API write the address without the object around it. */
function toPicture(field: string, value: unknown): Part {
  const isBare = typeof value === "string";
  if (!isBare && (typeof value !== "object" || value === null)) throw invalid(field, "an object with a url", value);
  const { url, detail } = isBare ? { url: value } : (value as { url?: unknown; detail?: unknown });
  if (url === undefined || url === null) throw invalid(`${field}.url`, "a picture", url);
  const wanted = detail ?? "auto";
  if (!DETAILS.includes(wanted as string)) throw invalid(`${field}.detail`, '"auto", "low" or "high"', detail);
  return { type: "image", image: url as PictureInput, detail: wanted as PictureDetail };
}

/** Merges texts that follow one another, but for those with languages of their own. */
function merged(parts: Part[]): string | Part[] {
  const found: Part[] = [];
  for (const part of parts) {
    const last = found.at(-1);
    if (part.type === "text" && last?.type === "text" && !hasLanguages(part) && !hasLanguages(last))
      found[found.length - 1] = { ...last, text: last.text + part.text };
    else found.push(part);
  }
  const [first] = found;
  if (first === undefined) return "";
  return found.length === 1 && first.type === "text" && !hasLanguages(first) ? first.text : found;
}

function hasLanguages(part: Part): boolean {
  return "source_lang_code" in part || "target_lang_code" in part;
}
