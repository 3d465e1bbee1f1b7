/** Reads the files beside the weights of a model, which are small enough to be in memory as a whole. */
import { HearthError } from "../core/errors.js";
import type { ByteSource } from "./source.js";

/** Size limit of a file: the tokenizer.json of 256k tokens has 35 MB. */
const MAX_TEXT_BYTES = 128 << 20;

/** Returns what was read; undefined for a missing optional file. */
export async function unlessMissing<T>(reading: Promise<T>, optional: boolean): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    const { code, status } = error as HearthError;
    const isAbsent = code === "download_http" || code === "io_error";
    if (optional && isAbsent && (status === 404 || status === 403)) return undefined;
    throw error;
  }
}

export async function readText(source: ByteSource): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of bounded(source)) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

/** Reads a file as bytes, of which there may be `most`. */
export async function readBytes(source: ByteSource, most = MAX_TEXT_BYTES): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of bounded(source, most)) chunks.push(chunk.slice());
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** Yields the bytes of a file beside the weights, which are not too many. */
async function* bounded(source: ByteSource, most = MAX_TEXT_BYTES): AsyncGenerator<Uint8Array, void, void> {
  let bytes = 0;
  for await (const chunk of source.chunks()) {
    bytes += chunk.length;
    if (bytes > most) throw new HearthError("bad_file", `a file beside the model has more than ${String(most)} bytes`);
    yield chunk;
  }
}
