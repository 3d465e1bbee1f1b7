/** Worker side: reports on a model from the beginning of its file; the rest is not fetched. */
import { GlanceSource } from "../cache/glance.js";
import { keptListing } from "../cache/listing.js";
import { HearthError, throwIfAborted } from "../core/errors.js";
import { localFile } from "../core/platform.js";
import type { InspectRequest } from "../core/protocol.js";
import { memoryFor } from "../fit/memory.js";
import { takeHeaders } from "./headers.js";
import { findModel, hubAccess, type ModelFiles, type OpenUrl } from "../source/index.js";
import type { HearthWasm, InspectorOptions, ModelReport, WasmFiles, WasmInspector } from "../core/wasm-contract.js";

export async function inspectModel(
  wasm: HearthWasm,
  request: InspectRequest,
  signal: AbortSignal,
): Promise<ModelReport> {
  const memory = memoryFor("webgpu");
  const options = memory === undefined ? request.options : { ...request.options, memory };
  // Ends the download once the header has arrived.
  const enough = new AbortController();
  const either = AbortSignal.any([signal, enough.signal]);
  const open: OpenUrl = (file) => localFile(file.url, either) ?? new GlanceSource(file, either, request.download);
  // Kept files match the listing kept with them, and an inspection keeps nothing.
  const hub = { ...hubAccess(either, request.download), kept: keptListing };
  const model = await findModel(request.source, either, request.download, open, hub, request.mmproj);
  try {
    return await reportOn(wasm, model, options, signal);
  } finally {
    enough.abort();
  }
}

async function reportOn(
  wasm: HearthWasm,
  model: ModelFiles,
  options: InspectorOptions,
  signal: AbortSignal,
): Promise<ModelReport> {
  const take = (files: WasmFiles, isTrial: boolean): ModelReport => {
    try {
      const found = files.report(options);
      const { unsupported } = found;
      if (unsupported !== undefined && isTrial) throw new HearthError(unsupported.code, unsupported.message);
      return found;
    } finally {
      files.free();
    }
  };
  const headers = await takeHeaders(wasm, model, { signal, take, onDrop: () => undefined });
  if (headers !== undefined) return headers.taken;
  if (model.kind !== "one") throw new HearthError("internal_error", "no headers of several files");
  const source = model.open();
  let inspector: WasmInspector | undefined;
  try {
    for await (const chunk of source.chunks()) {
      throwIfAborted(signal);
      // A download knows its length only once the first bytes have arrived.
      inspector ??= new wasm.Inspector(options, source.total);
      const report = inspector.push(chunk);
      if (report !== null) return report;
    }
    // If the length is unknown, the file may end before the prefix that the core waits for.
    if (inspector !== undefined) return inspector.finish();
  } finally {
    inspector?.free();
  }
  throw new HearthError("truncated_file", "the file ends in its header");
}
