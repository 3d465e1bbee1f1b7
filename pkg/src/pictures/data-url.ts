/** Data addresses (RFC 2397), read without fetch, which a page's Content Security Policy may forbid for them. */
import { HearthError } from "../core/errors.js";

/** Bytes converted at a time: calls take only so many arguments. */
const PIECE = 0x8000;

export function isDataUrl(url: string): boolean {
  return /^data:/i.test(url);
}

/** Returns the bytes of a data address. */
export function fromDataUrl(url: string): Uint8Array<ArrayBuffer> {
  const comma = url.indexOf(",");
  if (comma < 0) throw damaged("it has no comma");
  const text = url.slice(comma + 1);
  try {
    if (!/;\s*base64\s*$/i.test(url.slice(0, comma))) {
      return unescaped(new TextEncoder().encode(text));
    }
    const binary = atob(text.includes("%") ? decodeURIComponent(text) : text);
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch (cause) {
    throw damaged("its bytes are no base64", cause);
  }
}

/** Returns bytes as a data address. */
export function toDataUrl(bytes: Uint8Array, type: string): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += PIECE) binary += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  return `data:${type};base64,${btoa(binary)}`;
}

/** Replaces `%XX` by the byte that it stands for. */
function unescaped(text: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const hex = String.fromCharCode(...text.subarray(at + 1, at + 3));
    const isEscape = text[at] === 0x25 && /^[0-9a-f]{2}$/i.test(hex);
    bytes.push(isEscape ? Number.parseInt(hex, 16) : (text[at] ?? 0));
    if (isEscape) at += 2;
  }
  return Uint8Array.from(bytes);
}

function damaged(what: string, cause?: unknown): HearthError {
  return new HearthError("picture_undecodable", `the picture's data address is damaged: ${what}`, {
    hint: "Write it as data:image/png;base64,… or give a Blob.",
    ...(cause === undefined ? {} : { cause }),
  });
}
