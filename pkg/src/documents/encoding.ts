/** Bytes of a text to its characters: by its mark, as UTF-8, and otherwise as windows-1252, which is said. */
export interface Decoded {
  text: string;
  /** Present if the encoding is a guess. */
  guessed?: string;
}

const MARKS: [bytes: number[], encoding: string][] = [
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
];

export function decode(bytes: Uint8Array): Decoded {
  const mark = MARKS.find(([start]) => start.every((byte, i) => bytes[i] === byte));
  if (mark !== undefined) return { text: tidy(new TextDecoder(mark[1]).decode(bytes)) };
  try {
    return { text: tidy(new TextDecoder("utf-8", { fatal: true }).decode(bytes)) };
  } catch {
    const guessed = "windows-1252";
    return { text: tidy(new TextDecoder(guessed).decode(bytes)), guessed };
  }
}

/** Makes line ends alike, and replaces lone surrogates, which would not survive storage. */
export function tidy(text: string): string {
  return text.replace(/\r\n?/g, "\n").replace(/\p{Surrogate}/gu, "\ufffd");
}
