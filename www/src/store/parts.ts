/**
 * The parts of a message. Text, pictures and sources are shown; the others are kept, exported and imported as they are,
 * so that nothing is lost between versions of the page.
 */
import type { SourcesPart } from "./sources.js";

export interface TextPart {
  type: "text";
  text: string;
}

/** A picture, sound or document. Its bytes are in the store of files. */
export interface FilePart {
  type: "image" | "audio" | "document";
  /** SHA-256 of the bytes in hexadecimal digits. */
  file: string;
  /** Name of the file; empty if it has none of its own, as a picture from the clipboard. */
  name: string;
  mime: string;
  /** Description of a picture in the visitor's words; absent if there is none. */
  alt?: string;
}

export type Part = TextPart | FilePart | SourcesPart;

export const textPart = (text: string): TextPart => ({ type: "text", text });

/**
 * Types of pictures that are shown. SVG is none of them: it may hold scripts, and an imported file may call itself
 * anything.
 */
const SHOWN = /^image\/(png|jpeg|webp|gif|bmp|avif|heic|heif)$/;

/** Returns the pictures of a message. */
export function picturesOf({ parts }: { parts: readonly Part[] }): FilePart[] {
  return parts.filter(isPicture);
}

export function isPicture(part: Part): part is FilePart {
  return part.type === "image" && SHOWN.test(part.mime);
}

export function textOf({ parts }: { parts: readonly Part[] }): string {
  return parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
}

/** Returns the parts with this text in place of theirs; the others stay. */
export function withText(parts: readonly Part[], text: string): Part[] {
  const others = parts.filter(({ type }) => type !== "text");
  const found = parts.findIndex(({ type }) => type === "text");
  // A text that is added to pictures comes after them, as in the composer.
  const at = found === -1 ? others.findLastIndex(isPicture) + 1 : found;
  if (text !== "") others.splice(at, 0, textPart(text));
  return others;
}

/** Returns the passages that an answer was made from; undefined if it was made without documents. */
export function sourcesOf({ parts }: { parts: readonly Part[] }): SourcesPart | undefined {
  return parts.find((part) => part.type === "sources");
}

/** Returns the parts with these sources in place of theirs. */
export function withSources(parts: readonly Part[], sources: SourcesPart | undefined): Part[] {
  const others = parts.filter(({ type }) => type !== "sources");
  return sources === undefined ? others : [...others, sources];
}
