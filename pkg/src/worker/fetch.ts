/** Worker side: brings a model's files onto this device without loading them, so that another model may go on running. */
import { hasFileSystem } from "../cache/folder.js";
import { throwIfAborted, toHearthError } from "../core/errors.js";
import type { FetchRequest, LoadProgress } from "../core/protocol.js";
import type { HearthWasm } from "../core/wasm-contract.js";
import { findModel } from "../source/index.js";
import type { ByteSource } from "../source/source.js";
import { accessTo } from "./access.js";
import { ProgressMeter } from "./progress.js";

/** Returns whether all files are kept on this device afterwards. Without room for them, the rest is not fetched. */
export async function fetchModel(
  { Sha256 }: Pick<HearthWasm, "Sha256">,
  { source, download, mmproj }: FetchRequest,
  signal: AbortSignal,
  report: (progress: LoadProgress) => void,
): Promise<boolean> {
  // Bytes of the page's own need no download.
  if (source.kind !== "url" && source.kind !== "hub") return true;
  if (!hasFileSystem()) return false;
  const meter = new ProgressMeter(report);
  const full = new AbortController();
  const either = AbortSignal.any([signal, full.signal]);
  const access = accessTo(Sha256, { cache: "default", download }, either, ({ code }) => {
    if (code === "not_cached") full.abort();
  });
  let received = 0;
  const read = async (file: ByteSource): Promise<void> => {
    const before = received;
    for await (const chunk of file.chunks()) {
      received += chunk.length;
      meter.update({ phase: "download", loaded: received, total: file.total === undefined ? 0 : before + file.total });
      throwIfAborted(either);
    }
  };
  try {
    const model = await findModel(source, either, download, access.open, access.hub, mmproj);
    for (const open of model.kind === "one" ? [model.open] : model.weights) await read(open());
    const { projector } = model;
    if (projector !== undefined) {
      await read(projector.open()).catch((error: unknown) => {
        // One that was found by itself is left out by the load as well.
        if (projector.isAsked || either.aborted) throw error;
      });
    }
    await access.finish();
    return true;
  } catch (error) {
    if (full.signal.aborted && !signal.aborted) return false;
    throw toHearthError(error);
  }
}
