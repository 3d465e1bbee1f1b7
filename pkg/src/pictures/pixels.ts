/** Pixels of decoded pictures. */
import { HearthError } from "../core/errors.js";

/** A picture as RGBA, row by row, with straight alpha: [height, width, 4] */
export interface Pixels {
  width: number;
  height: number;
  rgba: Uint8Array<ArrayBuffer>;
}

/** Pixels beyond which a picture is scaled down by the browser: RGBA of a hundred million would take 400 MB. */
export const MOST_PIXELS = 40_000_000;
/** Pixels read at a time: browsers bound the area of a canvas, some of them to 16 million. */
const BAND_PIXELS = 4_000_000;

/** Returns the sides of a picture that has at most `MOST_PIXELS`; the same ones where it has no more. */
export function bounded(width: number, height: number): { width: number; height: number } {
  const scale = Math.sqrt(MOST_PIXELS / (width * height));
  if (!(scale < 1)) return { width, height };
  return { width: Math.max(1, Math.floor(width * scale)), height: Math.max(1, Math.floor(height * scale)) };
}

/** Reads the pixels of a bitmap in sRGB, scaled down first if there are more than `MOST_PIXELS`. The bitmap stays open. */
export async function pixelsOf(bitmap: ImageBitmap): Promise<Pixels> {
  const { width, height } = bounded(bitmap.width, bitmap.height);
  if (width === bitmap.width && height === bitmap.height) return read(bitmap);
  const smaller = await createImageBitmap(bitmap, {
    resizeWidth: width,
    resizeHeight: height,
    resizeQuality: "high",
    premultiplyAlpha: "none",
  });
  try {
    return read(smaller);
  } finally {
    smaller.close();
  }
}

function read(bitmap: ImageBitmap): Pixels {
  const { width, height } = bitmap;
  const rows = Math.min(height, Math.max(1, Math.floor(BAND_PIXELS / width)));
  const context = contextOf(width, rows);
  const rgba = new Uint8Array(width * height * 4);
  for (let top = 0; top < height; top += rows) {
    const count = Math.min(rows, height - top);
    // Transparent pixels would let the band before show through.
    context.clearRect(0, 0, width, rows);
    // Moved by whole pixels and not scaled, so that each pixel stays what it is.
    context.drawImage(bitmap, 0, -top);
    rgba.set(context.getImageData(0, 0, width, count).data, top * width * 4);
  }
  return { width, height, rgba };
}

function contextOf(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const Canvas = (globalThis as { OffscreenCanvas?: typeof OffscreenCanvas }).OffscreenCanvas;
  // Read back often: without the hint each band would go through the GPU.
  const context = Canvas && new Canvas(width, height).getContext("2d", { willReadFrequently: true });
  if (context) return context;
  throw new HearthError("picture_undecodable", "there is nothing here that reads a picture's pixels", {
    hint: "Use a current browser, or give the picture as ImageData.",
  });
}
