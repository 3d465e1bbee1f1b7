/** Files in the AI SDK's prompts: pictures, in the shapes of both versions of its specification. */
import type { ChatCompletionContentPartImage, PictureDetail } from "../api/openai.js";
import { HearthError } from "../core/errors.js";
import type { PromptPart } from "./spec.js";

/** Returns the picture of a file part. Files of other kinds are refused by name. */
export function toPicture(part: PromptPart): ChatCompletionContentPartImage {
  const { mediaType = "" } = part;
  if (!/^image(\/|$)/i.test(mediaType)) {
    throw new HearthError("invalid_request", `files of type "${mediaType}" are not supported, but pictures are`);
  }
  const detail = part.providerOptions?.hearth?.detail ?? part.providerOptions?.openai?.imageDetail;
  const image_url = { url: toUrl(part.data, mediaType), ...(detail != null && { detail: detail as PictureDetail }) };
  return { type: "image_url", image_url };
}

/** Returns an address or the bytes: version 3 has them bare, version 4 with their kind. */
function toUrl(data: unknown, mediaType: string): string | Blob {
  if (data instanceof URL) return data.href;
  if (data instanceof Uint8Array) return new Blob([Uint8Array.from(data)], { type: typeOf(mediaType) });
  // The type of a data address does not matter, as the bytes tell it.
  if (typeof data === "string") return /^(https?|data|blob):/i.test(data) ? data : `data:${mediaType};base64,${data}`;
  const tagged = (data ?? {}) as { type?: string; data?: unknown; url?: unknown };
  if (tagged.type === "data") return toUrl(tagged.data, mediaType);
  if (tagged.type === "url") return toUrl(tagged.url, mediaType);
  throw new HearthError(
    "invalid_request",
    `the data of a picture must be bytes, base64 or an address, found "${tagged.type ?? "nothing"}"`,
  );
}

/** Returns a type without a wildcard. */
function typeOf(mediaType: string): string {
  return /^image\/[^*]/i.test(mediaType) ? mediaType : "";
}
