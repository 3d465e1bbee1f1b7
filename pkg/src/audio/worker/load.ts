/** Worker side: makes a speech model of its files. */
import type { LoadProgress, Notice } from "../../core/protocol.js";
import { Sha256 } from "../../source/sha256.js";
import { accessTo } from "../../worker/access.js";
import { pushAll } from "../../worker/module-load.js";
import type { AudioWasm, WasmSpeechModel } from "../module.js";
import type { SpeechLoadRequest } from "../protocol.js";
import { findSpeechModel } from "./files.js";

export async function loadSpeechModel(
  wasm: AudioWasm,
  request: SpeechLoadRequest,
  signal: AbortSignal,
  report: (progress: LoadProgress) => void,
  notify: (notice: Notice) => void,
): Promise<WasmSpeechModel> {
  const access = accessTo(Sha256, request, signal, notify);
  const { texts, weights } = await findSpeechModel(request.source, signal, request.download, access.open, access.hub);
  const loader = new wasm.SpeechLoader();
  for (const [name, text] of texts) loader.text(name, text);
  const push = (chunk: Uint8Array): void => {
    loader.push(chunk);
  };
  const received = await pushAll([weights], push, signal, report);
  const model = loader.finish();
  await access.finish();
  report({ phase: "ready", loaded: received, total: received });
  return model;
}
