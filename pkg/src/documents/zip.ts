/** The directory of a zip archive, and how large its files really are: what it says of itself may be a lie. */
import { HearthError, throwIfAborted } from "../core/errors.js";
import { damaged, tooLarge, type Limits } from "./limits.js";

export interface ZipEntry {
  name: string;
  method: number;
  packed: number;
  unpacked: number;
  /** Offset of the local header. */
  at: number;
}

const END = 0x06054b50;
const DIRECTORY = 0x02014b50;
const LOCAL = 0x04034b50;
const MOST_ENTRIES = 10_000;

export function isZip(bytes: Uint8Array): boolean {
  return bytes.length > 4 && viewOf(bytes).getUint32(0, true) === LOCAL;
}

/** Lists an archive's files. */
export function entriesOf(bytes: Uint8Array, name: string): ZipEntry[] {
  const view = viewOf(bytes);
  const fail = (): HearthError => damaged(name, "its zip directory is malformed");
  let end = bytes.length - 22;
  const first = Math.max(0, end - 0xffff);
  while (end >= first && view.getUint32(end, true) !== END) end--;
  if (end < first) throw damaged(name, "it is incomplete: the end of its zip directory is missing");
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (count > MOST_ENTRIES) throw tooLarge(name, "files in the archive", MOST_ENTRIES, count);
  const entries: ZipEntry[] = [];
  const decoder = new TextDecoder();
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== DIRECTORY) throw fail();
    const nameLength = view.getUint16(at + 28, true);
    const next = at + 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw fail();
    if ((view.getUint16(at + 8, true) & 1) === 1) {
      throw new HearthError("document_encrypted", `${name} is protected by a password`, {
        hint: "Save it without a password: only a PDF's password can be given here.",
      });
    }
    entries.push({
      name: decoder.decode(bytes.subarray(at + 46, at + 46 + nameLength)),
      method: view.getUint16(at + 10, true),
      packed: view.getUint32(at + 20, true),
      unpacked: view.getUint32(at + 24, true),
      at: view.getUint32(at + 42, true),
    });
    at = next;
  }
  return entries;
}

/**
 * Unpacks an archive and forgets what comes, to be sure that it stays within the limits before a library that holds all
 * of it in memory does the same.
 */
export async function checkUnpacked(
  bytes: Uint8Array,
  name: string,
  limits: Limits,
  signal: AbortSignal | undefined,
): Promise<void> {
  const view = viewOf(bytes);
  let total = 0;
  for (const { method, packed, at } of entriesOf(bytes, name)) {
    throwIfAborted(signal);
    if (at + 30 > bytes.length || view.getUint32(at, true) !== LOCAL) throw damaged(name, "a file in it is missing");
    const start = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
    if (start + packed > bytes.length) throw damaged(name, "a file in it is cut off");
    const check = (more: number): void => {
      total += more;
      if (total > limits.unpacked) throw tooLarge(name, "its unpacked bytes", limits.unpacked, "more");
      if (total > 1 << 20 && total > limits.ratio * bytes.length) {
        throw tooLarge(name, "its unpacked bytes for each packed one", limits.ratio, "more");
      }
    };
    if (method === 0) check(packed);
    else if (method === 8) await inflate(bytes.slice(start, start + packed), name, check);
    else throw damaged(name, `a file in it is packed by method ${String(method)}, which is not known`);
  }
}

async function inflate(packed: Uint8Array<ArrayBuffer>, name: string, check: (more: number) => void): Promise<void> {
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      check(value.length);
    }
  } catch (error) {
    reader.cancel().catch(() => undefined);
    throw error instanceof HearthError ? error : damaged(name, "a file in it cannot be unpacked", error);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
