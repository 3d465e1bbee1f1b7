/** Bytes as base64, for files within JSON. */

/** Bytes converted at a time: the arguments of a call are limited. */
const STEP = 0x8000;

export function toBase64(bytes: ArrayBuffer): string {
  let text = "";
  for (let at = 0; at < bytes.byteLength; at += STEP) {
    text += String.fromCharCode(...new Uint8Array(bytes.slice(at, at + STEP)));
  }
  return btoa(text);
}

/** Throws if the text is not base64. */
export function fromBase64(text: string): ArrayBuffer {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;
}
