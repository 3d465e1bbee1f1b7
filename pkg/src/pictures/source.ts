/** Pictures as they cross from the page to its worker, or to the tab that has the model. */
import type { PictureInput } from "../api/openai.js";
import { HearthError, invalid, throwIfAborted } from "../core/errors.js";
import { baseAddress } from "../source/given.js";
import { isDataUrl } from "./data-url.js";
import { pixelsOf, type Pixels } from "./pixels.js";

/**
 * A picture that can be cloned. Bitmaps and canvases become pixels: not every browser sends a bitmap to another tab, and
 * the caller's own stays as it is.
 */
export type PictureSource =
  /** An https, http or data address, which the worker reads. */
  { kind: "url"; url: string } | { kind: "blob"; blob: Blob } | ({ kind: "pixels" } & Pixels);

/** Reads a picture of a request; `field` names it in errors. */
export async function toPictureSource(input: PictureInput, field: string, signal: AbortSignal): Promise<PictureSource> {
  throwIfAborted(signal);
  const given: unknown = input;
  if (typeof given === "string" || given instanceof URL) return await ofAddress(String(given), field, signal);
  switch (kindOf(given)) {
    case "Blob":
    case "File":
      return { kind: "blob", blob: given as Blob };
    case "ImageData":
      return await ofImageData(given as ImageData, field);
    case "ImageBitmap":
      return await ofBitmap(given as ImageBitmap, field);
    default:
      return await ofDrawable(given, field);
  }
}

/** Returns the name of an object's class, which is the same in every window. */
function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

async function ofAddress(address: string, field: string, signal: AbortSignal): Promise<PictureSource> {
  const url = address.trim();
  if (url === "") throw invalid(field, "an address of a picture", address);
  if (isDataUrl(url)) return { kind: "url", url };
  const base = baseAddress();
  if (!URL.canParse(url, base)) throw invalid(field, "an https, data or blob address", url);
  const { protocol, href } = new URL(url, base);
  if (protocol === "https:" || protocol === "http:") return { kind: "url", url: href };
  if (protocol !== "blob:") throw invalid(field, "an https, data or blob address", url);
  return { kind: "blob", blob: await blobAt(href, signal) };
}

/** Returns the Blob behind its address, which the page may revoke as soon as the request is made. */
async function blobAt(url: string, signal: AbortSignal): Promise<Blob> {
  try {
    return await (await fetch(url, { signal })).blob();
  } catch (cause) {
    throwIfAborted(signal);
    throw new HearthError("picture_undecodable", `there is no picture at ${url}`, {
      hint: "Revoke the address of a Blob only after the request, or give the Blob itself.",
      cause,
    });
  }
}

async function ofImageData(data: ImageData, field: string): Promise<PictureSource> {
  const { width, height, colorSpace } = data;
  const bytes: unknown = data.data;
  if (!(bytes instanceof Uint8ClampedArray)) throw invalid(field, "ImageData of 8 bits", kindOf(bytes));
  const isPlain = (colorSpace as string | undefined) === undefined || colorSpace === "srgb";
  if (!isPlain) return await ofDrawable(data, field);
  // A copy: the caller may go on drawing into it before it is sent.
  return { kind: "pixels", width, height, rgba: Uint8Array.from(bytes) };
}

async function ofBitmap(bitmap: ImageBitmap, field: string): Promise<PictureSource> {
  if (bitmap.width === 0 || bitmap.height === 0) throw invalid(field, "an ImageBitmap that is open", "a closed one");
  return { kind: "pixels", ...(await pixelsOf(bitmap)) };
}

/** Reads a canvas, or whatever else the browser draws. */
async function ofDrawable(value: unknown, field: string): Promise<PictureSource> {
  const expected = "an address, Blob, ImageBitmap, ImageData or canvas";
  if (typeof value !== "object" || value === null) throw invalid(field, expected, value);
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(value as ImageBitmapSource);
  } catch (cause) {
    const found = `${kindOf(value)} (${cause instanceof Error ? cause.message : String(cause)})`;
    throw invalid(field, expected, found);
  }
  try {
    return { kind: "pixels", ...(await pixelsOf(bitmap)) };
  } catch (cause) {
    if (cause instanceof HearthError) throw cause;
    throw new HearthError("invalid_request", `invalid request: ${field} must not hold pictures of other sites`, {
      hint: "Load them with crossOrigin set, from a server that sends CORS headers.",
      cause,
    });
  } finally {
    bitmap.close();
  }
}
