/** Tells what a file is by its content: names and types are whatever the sender made them. */

export type FileKind = "model" | "conversations" | "document" | "text" | "image" | "audio" | "unknown";

/** Bytes read to tell a kind. */
const HEAD = 1 << 16;
/** Largest JSON read as a whole: a tool may have moved the field that tells conversations to its end. */
const MOST_JSON = 1 << 28;

/* eslint-disable no-control-regex -- Bytes are compared as Latin-1. */

/** Beginnings of formats; a dot matches any byte. */
const BEGINNINGS: readonly [RegExp, FileKind][] = [
  [/^GGUF/, "model"],
  // Other zip archives than DOCX are refused by name when they are read.
  [/^(%PDF-|PK\x03\x04)/, "document"],
  [
    /^(\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|BM....\0\0\0\0|....ftyp(avif|avis|heic|heix|mif1))/s,
    "image",
  ],
  // A film in MP4 or WebM has a sound track too.
  [
    /^(RIFF....WAVE|ID3|\xff[\xf2-\xf7\xfa\xfb\xf1\xf9]|OggS|fLaC|....ftyp(M4[AB] |mp4[12]|iso[m2-6]|3gp.|dash)|\x1aE\xdf\xa3)/s,
    "audio",
  ],
];

export async function kindOf(file: File): Promise<FileKind> {
  // A folder arrives as a file that cannot be read.
  const bytes = await file
    .slice(0, HEAD)
    .arrayBuffer()
    .catch(() => undefined);
  if (bytes === undefined || bytes.byteLength === 0) return "unknown";
  const beginning = String.fromCharCode(...new Uint8Array(bytes.slice(0, 16)));
  const found = BEGINNINGS.find(([pattern]) => pattern.test(beginning))?.[1];
  if (found !== undefined) return found;
  if (isSafetensors(bytes, file.size)) return "model";
  const text = textOf(bytes);
  if (text === undefined) return "unknown";
  const isJson = text.trimStart().startsWith("{");
  const whole = isJson && file.size > HEAD && file.size <= MOST_JSON ? await file.text() : text;
  return areConversations(whole, isJson) ? "conversations" : "text";
}

/** Safetensors begin with the length of a JSON object, in eight bytes, and that object. */
function isSafetensors(bytes: ArrayBuffer, size: number): boolean {
  if (bytes.byteLength < 10) return false;
  const view = new DataView(bytes);
  const length = view.getBigUint64(0, true);
  return length >= 2n && length <= BigInt(size - 8) && view.getUint8(8) === 0x7b;
}

/** Returns the text, or undefined if the bytes are not UTF-8 or have control characters. */
function textOf(bytes: ArrayBuffer): string | undefined {
  try {
    // The last character may be cut off.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return /[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

function areConversations(text: string, isJson: boolean): boolean {
  if (isJson) return /"format"\s*:\s*"hearth-conversations"/.test(text);
  return /^<!-- hearth:(system|user|assistant|thoughts)\b.*-->\r?$/m.test(text);
}
