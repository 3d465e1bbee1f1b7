/** A picture as an address that a server can read. */
import type { PictureInput } from "../api/openai.js";
import { HearthError, throwIfAborted } from "../core/errors.js";
import { isDataUrl, toDataUrl } from "../pictures/data-url.js";
import type { Pixels } from "../pictures/pixels.js";
import { toPictureSource } from "../pictures/source.js";

/** Returns https and data addresses as they are, and others as data addresses. */
export async function toAddress(input: PictureInput, field: string, signal: AbortSignal): Promise<string> {
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
