/** Worker side: decodes a picture's file by the browser's own decoders. */
import { HearthError } from "../../core/errors.js";
import type { Probe } from "../../pictures/module.js";
import { bounded, pixelsOf, type Pixels } from "../../pictures/pixels.js";

/** Bounds beyond which nothing is decoded, whatever a file says of itself: a gigabyte of RGBA. */
const MOST_DECODED = 2 ** 28;
const LONGEST_SIDE = 65_535;
/** Formats that some browsers do not decode. */
const FOREIGN = new Set(["heic", "avif"]);

/**
 * Decodes the first frame of a picture, turned as its EXIF data say, in sRGB. `found`: what its first bytes tell; a format that is not
 * known is left to the browser, which may know it.
 */
export async function decode(bytes: Uint8Array<ArrayBuffer>, found: Probe | undefined): Promise<Pixels> {
  const { format, width = 0, height = 0 } = found ?? {};
  if (Math.max(width, height) > LONGEST_SIDE || width * height > MOST_DECODED) {
    const sides = `${String(width)} x ${String(height)}`;
    throw new HearthError("bad_picture", `the picture cannot be used: it has ${sides} pixels`, {
      hint: "Save it smaller: models look at a few million pixels at most.",
    });
  }
  const blob = new Blob([bytes], format === undefined ? {} : { type: `image/${format}` });
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(blob, optionsFor(width, height));
  } catch (cause) {
    throw undecodable(bytes, format, cause);
  }
  try {
    return await pixelsOf(bitmap);
  } finally {
    bitmap.close();
  }
}

function optionsFor(width: number, height: number): ImageBitmapOptions {
  const options: ImageBitmapOptions = {
    imageOrientation: "from-image",
    premultiplyAlpha: "none",
    colorSpaceConversion: "default",
  };
  const most = bounded(width, height);
  // One side only: the other follows, and a picture that its EXIF data turn keeps its proportions.
  return width === most.width ? options : { ...options, resizeWidth: most.width, resizeQuality: "high" };
}

function undecodable(bytes: Uint8Array, format: string | undefined, cause: unknown): HearthError {
  const [message, hint] = reasonOf(bytes, format);
  return new HearthError("picture_undecodable", message, { hint, cause });
}

function reasonOf(bytes: Uint8Array, format: string | undefined): [message: string, hint: string] {
  const hint = "Save the picture as JPEG, PNG or WebP.";
  if (format !== undefined) {
    const name = format === "webp" ? "WebP" : format.toUpperCase();
    if (FOREIGN.has(format)) return [`this browser decodes no ${name} pictures, or this one is damaged`, hint];
    return [`the ${name} picture cannot be decoded: its file is damaged or cut off`, hint];
  }
  const head = new TextDecoder("latin1").decode(bytes.subarray(0, 1024)).trimStart();
  if (head.startsWith("<") && /<svg[\s>]/i.test(head)) {
    return [
      "an SVG drawing has no pixels of its own",
      "Draw it on a canvas of the size that you want, and give the canvas.",
    ];
  }
  if (/^<(!doctype|html)/i.test(head)) {
    return ["there is a web page where a picture was expected", "Give the address of the picture itself."];
  }
  return ["the file is no picture, or of a format that this browser does not know", hint];
}
