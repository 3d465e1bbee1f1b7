/**
 * A file of which only the beginning is inspected: read from the cache if it is complete there, else from the network
 * without keeping it.
 */
import type { DownloadOptions } from "../core/protocol.js";
import { blobSource } from "../source/blob.js";
import { HttpSource, plainEtag } from "../source/http.js";
import type { ByteSource, RemoteFile } from "../source/source.js";
import { completeFile, hasFileSystem, keyOf, root } from "./folder.js";

export class GlanceSource implements ByteSource {
  #source: ByteSource | undefined;

  constructor(
    readonly file: RemoteFile,
    readonly signal: AbortSignal,
    readonly options: DownloadOptions,
  ) {}

  get total(): number | undefined {
    return this.#source?.total;
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, void> {
    const kept = await keptFile(this.file);
    this.#source =
      kept === undefined ? new HttpSource(this.file.url, this.signal, this.options) : blobSource(kept, this.signal);
    yield* this.#source.chunks();
  }
}

async function keptFile({ key, version }: RemoteFile): Promise<File | undefined> {
  if (!hasFileSystem()) return undefined;
  try {
    const folder = await (await root()).getDirectoryHandle(await keyOf(key));
    const kept = await completeFile(folder);
    if (kept === undefined || kept.state.absent) return undefined;
    const { etag, version: has } = kept.state;
    return version === undefined || has === version || plainEtag(etag) === version ? kept.data : undefined;
  } catch {
    // Without such a folder or file system, the network has the file.
    return undefined;
  }
}
