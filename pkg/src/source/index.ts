/** The worker's side of a model source. */
import type { DownloadOptions, SourceSpec } from "../protocol.js";
import { blobSource } from "./blob.js";
import { HttpSource } from "./http.js";
import { portSource } from "./port.js";
import type { ByteSource } from "./source.js";

export type { ByteSource } from "./source.js";
export { coalesce } from "./coalesce.js";

export function openSource(spec: SourceSpec, signal: AbortSignal, download: DownloadOptions): ByteSource {
  switch (spec.kind) {
    case "url":
      return new HttpSource(spec.url, signal, download);
    case "blob":
      return blobSource(spec.blob, signal);
    case "port":
      return portSource(spec.port, spec.total, signal);
  }
}
