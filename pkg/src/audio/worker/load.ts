/** Worker side: starts the module, and streams a model into it; the file is never in memory as a whole. */
import { HearthError, throwIfAborted, toHearthError } from "../../core/errors.js";
import type { LoadProgress, Notice } from "../../core/protocol.js";
import { coalesce } from "../../source/index.js";
import { accessTo } from "../../worker/access.js";
import { ProgressMeter } from "../../worker/progress.js";
import { yieldToEventLoop } from "../../worker/yield.js";
import type { AudioWasm, WasmSpeechModel } from "../module.js";
import type { SpeechLoadRequest } from "../protocol.js";
import { findSpeechModel } from "./files.js";
import { Sha256 } from "./sha256.js";

export async function startModule(wasm: AudioWasm, url: string | URL): Promise<void> {
  try {
    await wasm.default({ module_or_path: url });
  } catch (cause) {
    const reason = toHearthError(cause).message;
    throw new HearthError("wasm_failed", `the module that recognises speech could not be started: ${reason}`, {
      cause,
      hint: "Check that the server has audio_bg.wasm beside the worker, or name its place as wasmUrl.",
    });
  }
}

export async function loadSpeechModel(
  wasm: AudioWasm,
  request: SpeechLoadRequest,
  signal: AbortSignal,
  report: (progress: LoadProgress) => void,
  notify: (notice: Notice) => void,
): Promise<WasmSpeechModel> {
  const meter = new ProgressMeter(report);
  const access = accessTo(Sha256, request, signal, notify);
  const { texts, weights } = await findSpeechModel(request.source, signal, request.download, access.open, access.hub);
  let received = 0;
  async function* counted(): AsyncGenerator<Uint8Array, void, void> {
    for await (const piece of weights.chunks()) {
      received += piece.length;
      meter.update({ phase: "download", loaded: received, total: weights.total ?? 0 });
      yield piece;
    }
  }
  const loader = new wasm.SpeechLoader();
  for (const [name, text] of texts) loader.text(name, text);
  for await (const chunk of coalesce(counted())) {
    loader.push(chunk);
    // A file on disk comes without a pause in which the page's messages could be read.
    await yieldToEventLoop();
    throwIfAborted(signal);
  }
  const model = loader.finish();
  await access.finish();
  report({ phase: "ready", loaded: received, total: received });
  return model;
}
