/** A file to a document with passages. */
import { digestOf } from "../core/digest.js";
import { HearthError, invalid, throwIfAborted } from "../core/errors.js";
import { compose } from "./blocks.js";
import { tidy } from "./encoding.js";
import { extract, type ExtractOptions } from "./extract/index.js";
import { damaged, tooLarge } from "./limits.js";
import { passagesOf } from "./passages.js";
import { sniff } from "./sniff.js";
import type { StoredDocument } from "./store.js";

/** A file, or a text with a name. */
export type DocumentSource = File | Blob | { name: string; text: string };

export interface SourceBytes {
  id: string;
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

const LONGEST_NAME = 200;

/** Reads a source's bytes, and derives the document's id from them. */
export async function bytesOf(source: DocumentSource, most: number): Promise<SourceBytes> {
  const isBlob = source instanceof Blob;
  if (!isBlob && typeof (source as { text?: unknown } | null)?.text !== "string") {
    throw invalid("file", "a File, a Blob or { name, text }", typeof source);
  }
  const given = "name" in source && typeof source.name === "string" ? source.name : "";
  // Names are shown, and put into prompts, on one line.
  const line = given.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ");
  const name = line.trim().slice(0, LONGEST_NAME) || "document";
  if (isBlob && source.size > most) throw tooLarge(name, "bytes", most, source.size);
  const bytes = isBlob ? await read(source, name) : new TextEncoder().encode(source.text);
  if (bytes.length > most) throw tooLarge(name, "bytes", most, bytes.length);
  return { id: await digestOf(bytes), name, bytes };
}

async function read(blob: Blob, name: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (cause) {
    throw new HearthError("io_error", `${name} cannot be read`, { cause });
  }
}

/** Reads a file to a document; `local` does so on the caller's own thread. */
export type Ingest = (source: SourceBytes, options: ExtractOptions, local: Ingest) => Promise<StoredDocument>;

export async function ingest({ id, name, bytes }: SourceBytes, options: ExtractOptions): Promise<StoredDocument> {
  const { limits, signal, onProgress } = options;
  throwIfAborted(signal);
  if (bytes.length === 0) throw damaged(name, "it is empty");
  const sniffed = sniff(bytes, name);
  const { blocks, pages, remarks, isPictures = false } = await extract(bytes, name, sniffed, options);
  throwIfAborted(signal);
  onProgress?.({ phase: "splitting" });
  const composed = compose(blocks.map((block) => ({ ...block, text: tidy(block.text) })));
  if (composed.text.length > limits.characters) {
    throw tooLarge(name, "characters", limits.characters, composed.text.length);
  }
  if (composed.text.trim() === "" && !isPictures) throw damaged(name, "it has no text");
  return {
    ...{ id, name, type: sniffed.type, bytes: bytes.length, added: Date.now(), pageCount: pages, remarks, isPictures },
    text: composed.text,
    bounds: passagesOf(composed),
    sections: composed.sections,
    pages: composed.pages,
  };
}
