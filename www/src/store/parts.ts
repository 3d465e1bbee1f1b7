/**
 * The parts of a message. Only text is shown and sent so far; the others are kept, exported and imported as they are, so
 * that nothing is lost between versions of the page.
 */

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

/** A passage that an answer relies on. */
export interface Source {
  title: string;
  quote: string;
  /** Origin: an address, or the hash of a file. */
  from: string;
}

export interface SourcesPart {
  type: "sources";
  sources: Source[];
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
