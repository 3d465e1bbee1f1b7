/** Worker side: reads an adapter's files as a whole; the core needs them all at once. */
import { PEFT_CONFIG as CONFIG, PEFT_TENSORS as TENSORS, type AdapterRequest } from "../core/protocol.js";
import type { HearthWasm } from "../core/wasm-contract.js";
import { withoutSecrets } from "../source/address.js";
import { blobSource } from "../source/blob.js";
import { resolveHubFile } from "../source/hub.js";
import { readBytes, readText } from "../source/read.js";
import type { ByteSource, RemoteFile } from "../source/source.js";
import { accessTo } from "./access.js";

/** Size limit of an adapter: one of rank 64 for a model of 8 billion weights has 340 MB in 16 bits. */
const MAX_BYTES = 1 << 30;

export interface AdapterFiles {
  bytes: Uint8Array;
  /** PEFT's settings, beside safetensors. */
  config: string | undefined;
}

/** Reads the files of an adapter: one in GGUF, or PEFT's settings and tensors. */
export async function readAdapter(
  Sha256: HearthWasm["Sha256"],
  request: AdapterRequest,
  signal: AbortSignal,
): Promise<AdapterFiles> {
  const { source } = request;
  const read = async (tensors: ByteSource, config?: ByteSource): Promise<AdapterFiles> => ({
    config: config === undefined ? undefined : await readText(config),
    bytes: await readBytes(tensors, MAX_BYTES),
  });
  if (source.kind === "blob") return await read(blobSource(source.blob, signal));
  if (source.kind === "peft") {
    return await read(blobSource(source.tensors, signal), blobSource(source.config, signal));
  }
  // Nothing of an adapter is worth a notice.
  const access = accessTo(Sha256, request, signal, () => undefined);
  // (a sum that the caller knows is that of the tensors)
  const open = ({ url, file }: Found, sum?: string): ByteSource =>
    access.open(file ?? { url, key: withoutSecrets(url), isOptional: false, sum });
  const { sha256 } = request.download;
  let files: AdapterFiles;
  if (source.kind === "hub") {
    const { path = "" } = source.id;
    const at = (name: string): Promise<Found> =>
      resolveHubFile({ ...source.id, path: name }, source.endpoint, access.hub);
    if (path.endsWith(".gguf")) files = await read(open(await at(path)));
    else {
      const folder = path.replace(/[^/]*$/, "");
      files = await read(open(await at(folder + TENSORS)), open(await at(folder + CONFIG)));
    }
  } else {
    const { url } = source;
    const { pathname } = new URL(url);
    if (pathname.endsWith("/") || pathname.endsWith(".safetensors")) {
      const beside = (name: string): Found => ({ url: new URL(name, url).href });
      const tensors = pathname.endsWith("/") ? beside(TENSORS) : { url };
      files = await read(open(tensors, sha256), open(beside(CONFIG)));
    } else files = await read(open({ url }, sha256));
  }
  await access.finish();
  return files;
}

interface Found {
  url: string;
  file?: RemoteFile | undefined;
}
