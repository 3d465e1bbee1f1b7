/** Worker side: makes a translation model of its files: a folder of safetensors, or one GGUF file. */
import { HearthError, toHearthError } from "../../core/errors.js";
import type { LoadProgress, Notice, SourceSpec } from "../../core/protocol.js";
import { findModel, type FolderFiles } from "../../source/index.js";
import { Sha256 } from "../../source/sha256.js";
import { accessTo } from "../../worker/access.js";
import { pushAll } from "../../worker/module-load.js";
import type { ModuleFile, TranslationWasm, WasmTranslator } from "../module.js";
import type { TranslationLoadRequest } from "../protocol.js";

export async function loadTranslator(
  wasm: TranslationWasm,
  request: TranslationLoadRequest,
  signal: AbortSignal,
  report: (progress: LoadProgress) => void,
  notify: (notice: Notice) => void,
): Promise<WasmTranslator> {
  const { source, download } = request;
  const access = accessTo(Sha256, request, signal, notify);
  const folder = filesOf(wasm);
  const model = await findModel(source, signal, download, access.open, access.hub, false, folder).catch(
    (error: unknown) => {
      throw forTranslation(error, source);
    },
  );
  const loader = new wasm.TranslationLoader();
  const push = (chunk: Uint8Array): void => {
    loader.push(chunk);
  };
  if (model.kind === "several") {
    if (model.texts.size === 0) {
      throw refuse("model: it is split into several GGUF files, and a translation model is read from one");
    }
    for (const [name, text] of model.texts) loader.text(name, text);
    for (const [name, bytes] of model.files) loader.file(name, bytes);
  }
  const sources = model.kind === "one" ? [model.open()] : model.weights.map((open) => open());
  const received = await pushAll(sources, push, signal, report);
  const translator = loader.finish();
  await access.finish();
  report({ phase: "ready", loaded: received, total: received });
  return translator;
}

/** Returns the files that the module reads beside the weights of a folder. */
function filesOf({ TranslationLoader }: TranslationWasm): FolderFiles {
  const files = JSON.parse(TranslationLoader.files()) as ModuleFile[];
  const names = (isBinary: boolean): string[] =>
    files.filter(({ binary }) => binary === isBinary).map(({ name }) => name);
  return {
    texts: names(false),
    binaries: names(true),
    needed: new Set(files.filter(({ required }) => required).map(({ name }) => name)),
  };
}

/** Replaces the advice for repositories of language models, which is to look for a GGUF. */
function forTranslation(error: unknown, { kind }: SourceSpec): HearthError {
  const reason = toHearthError(error);
  if (kind !== "hub" || (reason.code !== "invalid_request" && reason.code !== "unsupported_quant")) return reason;
  return refuse(reason.message);
}

function refuse(message: string): HearthError {
  return new HearthError("invalid_request", message, {
    hint: "Name a repository or folder with a model.safetensors, such as Helsinki-NLP/opus-mt-en-de, or one GGUF file.",
  });
}
