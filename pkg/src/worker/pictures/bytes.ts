/** Worker side: the bytes of a picture's file, from an address or a Blob. */
import { HearthError, throwIfAborted } from "../../core/errors.js";
import { fromDataUrl, isDataUrl } from "../../pictures/data-url.js";
import type { PictureSource } from "../../pictures/source.js";
import { shown } from "../../source/address.js";
import { Stall } from "../../source/stall.js";

/** Bytes of the largest file that is read; photographs have a few million. */
export const MOST_BYTES = 64 << 20;
const STALL_MS = 30_000;

type FileSource = Exclude<PictureSource, { kind: "pixels" }>;

/** Returns the bytes of a picture's file, which are some, and not too many. */
export async function bytesOf(source: FileSource, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await read(source, signal);
  throwIfAborted(signal);
  if (bytes.length > 0) return bytes;
  throw new HearthError("bad_picture", "the picture cannot be used: its file is empty");
}

async function read(source: FileSource, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  if (source.kind === "blob") {
    check(source.blob.size);
    try {
      return new Uint8Array(await source.blob.arrayBuffer());
    } catch (cause) {
      throw new HearthError("io_error", "reading the picture's file failed", { cause });
    }
  }
  const { url } = source;
  if (!isDataUrl(url)) return await fetched(url, signal);
  // Base64 has four characters for three bytes.
  check((url.length * 3) / 4);
  return fromDataUrl(url);
}

async function fetched(url: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const stall = new Stall(STALL_MS, signal);
  try {
    const response = await stall.watch(fetch(url, { signal: stall.signal }));
    if (!response.ok) {
      throw new HearthError(
        "download_http",
        `the server answered ${String(response.status)} for the picture at ${shown(url)}`,
        {
          status: response.status,
          hint: "Check the address of the picture, or give the picture itself as a Blob.",
        },
      );
    }
    check(Number(response.headers.get("Content-Length") ?? 0));
    const reader = response.body?.getReader();
    const pieces: Uint8Array[] = [];
    let length = 0;
    while (reader !== undefined) {
      const { done, value } = await stall.watch(reader.read());
      if (done) break;
      pieces.push(value);
      length += value.length;
      check(length);
    }
    return joined(pieces, length);
  } catch (cause) {
    throwIfAborted(signal);
    if (cause instanceof HearthError) throw cause;
    // fetch tells a page nothing about the reason.
    throw new HearthError(
      "download_broken",
      `the picture at ${shown(url)} could not be fetched: its server is out of reach, or it sends no CORS headers, without which no other site's page may read it`,
      { hint: "Give the picture itself as a Blob or data address, or use a server that allows this page.", cause },
    );
  } finally {
    stall.close();
  }
}

function joined(pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function check(bytes: number): void {
  if (bytes <= MOST_BYTES) return;
  const most = String(MOST_BYTES >> 20);
  throw new HearthError("bad_picture", `the picture cannot be used: its file has more than ${most} MiB`, {
    hint: "Save it smaller: models look at a few million pixels at most.",
  });
}
