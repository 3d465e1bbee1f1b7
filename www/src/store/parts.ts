/**
 * The parts of a message. Text and sources are shown; the others are kept, exported and imported as they are, so that
 * nothing is lost between versions of the page.
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
  name: string;
  mime: string;
}

export type Part = TextPart | FilePart | SourcesPart;

export const textPart = (text: string): TextPart => ({ type: "text", text });

export function textOf({ parts }: { parts: readonly Part[] }): string {
  return parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n\n");
}

/** Returns the parts with this text in place of theirs; the others stay. */
export function withText(parts: readonly Part[], text: string): Part[] {
  const at = parts.findIndex(({ type }) => type === "text");
  const others = parts.filter(({ type }) => type !== "text");
  if (text !== "") others.splice(Math.max(0, at), 0, textPart(text));
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
