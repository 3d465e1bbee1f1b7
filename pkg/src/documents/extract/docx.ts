/** DOCX, by mammoth, which is loaded only then. */
import { HearthError } from "../../core/errors.js";
import type { Extracted } from "../blocks.js";
import { damaged, step, type Limits } from "../limits.js";
import { checkUnpacked } from "../zip.js";
import { blocksOf } from "./markup.js";
import { parseWellFormed } from "./well-formed.js";

/** The part of mammoth that is used. */
export interface Mammoth {
  convertToHtml(
    input: { arrayBuffer: ArrayBuffer; buffer: Uint8Array },
    options: { convertImage: unknown; externalFileAccess: false },
  ): Promise<{ value: string }>;
  images: { imgElement(read: () => Promise<{ src: string }>): unknown };
}

export async function extractDocx(
  bytes: Uint8Array<ArrayBuffer>,
  name: string,
  options: { limits: Limits; signal: AbortSignal | undefined; load: (() => Promise<unknown>) | undefined },
): Promise<Extracted> {
  const { limits, signal } = options;
  await checkUnpacked(bytes, name, limits, signal);
  const mammoth = await load(name, options.load);
  // Pictures are never read: they are no text, and may be large.
  const convertImage = mammoth.images.imgElement(() => Promise.resolve({ src: "" }));
  const input = { arrayBuffer: bytes.slice().buffer, buffer: bytes };
  try {
    const work = mammoth.convertToHtml(input, { convertImage, externalFileAccess: false });
    const { value } = await step(name, limits.stallMs, signal, work);
    return { blocks: blocksOf(parseWellFormed(value)), pages: null, remarks: [] };
  } catch (error) {
    throw error instanceof HearthError ? error : damaged(name, "its contents are not those of a Word document", error);
  }
}

async function load(name: string, own: (() => Promise<unknown>) | undefined): Promise<Mammoth> {
  try {
    const module = (await (own === undefined ? import("mammoth") : own())) as Partial<Mammoth> & { default?: Mammoth };
    return module.default ?? (module as Mammoth);
  } catch (cause) {
    throw new HearthError(
      "extractor_missing",
      `${name} is DOCX, and mammoth, which reads it, is not installed or does not load`,
      {
        hint: "Install it: npm install mammoth@1.13.0",
        cause,
      },
    );
  }
}
