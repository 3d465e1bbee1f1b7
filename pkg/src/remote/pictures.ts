/** Pictures of requests as servers take them: addresses. */
import type { ChatCompletionContentPartImage, ChatCompletionMessageParam, PictureInput } from "../api/openai.js";
import { HearthError, throwIfAborted } from "../core/errors.js";
import { isDataUrl, toDataUrl } from "../pictures/data-url.js";
import type { Pixels } from "../pictures/pixels.js";
import { toPictureSource } from "../pictures/source.js";

/**
 * Returns a request whose pictures are https and data addresses. Those are left as they are; what only this page has goes with the
 * request as a data address: files with their own bytes, canvases and bitmaps as PNG.
 */
export async function withAddresses<Params extends object>(params: Params, signal: AbortSignal): Promise<Params> {
  const { messages } = params as { messages?: unknown };
  // Other messages are checked where they are read.
  if (!Array.isArray(messages) || !messages.some(hasPictures)) return params;
  const sent: unknown[] = [];
  for (const [index, message] of (messages as ChatCompletionMessageParam[]).entries()) {
    if (!hasPictures(message)) {
      sent.push(message);
      continue;
    }
    const content: unknown[] = [];
    for (const part of message.content) {
      if (!isPicture(part)) content.push(part);
      else {
        const { url, ...others } = part.image_url;
        const field = `messages[${String(index)}].content: image_url.url`;
        content.push({ ...part, image_url: { ...others, url: await toAddress(url, field, signal) } });
      }
    }
    sent.push({ ...message, content });
  }
  return { ...params, messages: sent };
}

function hasPictures(message: unknown): message is { content: object[] } {
  const content = (message as { content?: unknown } | null)?.content;
  return Array.isArray(content) && content.some(isPicture);
}

function isPicture(part: unknown): part is ChatCompletionContentPartImage {
  const { type, image_url } = (part ?? {}) as { type?: unknown; image_url?: unknown };
  return type === "image_url" && typeof image_url === "object" && image_url !== null;
}

async function toAddress(input: PictureInput, field: string, signal: AbortSignal): Promise<string> {
  if (typeof input === "string" && isDataUrl(input)) return input;
  const source = await toPictureSource(input, field, signal);
  if (source.kind === "url") return source.url;
  const blob = source.kind === "blob" ? source.blob : await toPng(source);
  throwIfAborted(signal);
  const bytes = new Uint8Array(await blob.arrayBuffer());
  if (bytes.length === 0) throw new HearthError("bad_picture", "the picture cannot be used: its file is empty");
  return toDataUrl(bytes, blob.type || typeOf(bytes));
}

async function toPng({ rgba, width, height }: Pixels): Promise<Blob> {
  const canvas = new OffscreenCanvas(width, height);
  const data = new ImageData(new Uint8ClampedArray(rgba.buffer), width, height);
  canvas.getContext("2d")?.putImageData(data, 0, 0);
  return await canvas.convertToBlob({ type: "image/png" });
}

/** Returns the type of a Blob that was made without one, by its first bytes. */
function typeOf(bytes: Uint8Array): string {
  const head = String.fromCharCode(...bytes.subarray(0, 12));
  if (head.startsWith("\x89PNG")) return "image/png";
  if (head.startsWith("GIF8")) return "image/gif";
  return /^RIFF.{4}WEBP/s.test(head) ? "image/webp" : "image/jpeg";
}
