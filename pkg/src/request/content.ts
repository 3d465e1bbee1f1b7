/** Contents of messages: texts, and the user's pictures among them. */
import type { PictureDetail, PictureInput } from "../api/openai.js";
import { invalid } from "../core/errors.js";
import type { AskedContent, AskedPart } from "../core/protocol.js";

export type Content = AskedContent<PictureInput>;
type Part = AskedPart<PictureInput>;

const DETAILS = ["auto", "low", "high"];

/** Reads a message's content: a text, or parts where a message of the user has pictures. */
export function toContent(field: string, content: unknown, role: string): string | Part[] {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) throw invalid(field, "a string or a list of parts", content);
  const parts = content.map((part: unknown, index) => toPart(`${field}[${String(index)}]`, part, role));
  return merged(parts);
}

/** Joins contents; the result has parts only if there is a picture. */
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
  const { type, text, refusal, image_url } = (part ?? {}) as Record<string, unknown>;
  if (type === "image_url") {
    if (role !== "user") throw invalid(field, "text, as pictures are the user's only", type);
    return toPicture(`${field}.image_url`, image_url);
  }
  const found = type === "refusal" ? refusal : type === "text" ? text : undefined;
  const expected = role === "user" ? "text and image_url parts only" : "text parts only";
  if (typeof found !== "string") throw invalid(field, expected, type);
  return { type: "text", text: found };
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

/** Merges texts that follow one another. */
function merged(parts: Part[]): string | Part[] {
  const found: Part[] = [];
  for (const part of parts) {
    const last = found.at(-1);
    if (part.type === "text" && last?.type === "text")
      found[found.length - 1] = { ...last, text: last.text + part.text };
    else found.push(part);
  }
  const [first] = found;
  if (first === undefined) return "";
  return found.length === 1 && first.type === "text" ? first.text : found;
}
