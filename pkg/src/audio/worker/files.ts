/**
 * Worker side: finds the files of a speech model: a folder with one safetensors file and its texts, or one ggml `.bin` file of
 * whisper.cpp.
 */
import { HearthError, toHearthError } from "../../core/errors.js";
import type { DownloadOptions, SourceSpec } from "../../core/protocol.js";
import type { HubAccess } from "../../source/hub.js";
import { findModel, type OpenUrl } from "../../source/index.js";
import type { ByteSource } from "../../source/source.js";

export interface SpeechFiles {
  /** Texts of the folder by name; none for a ggml file, which has everything in it. */
  texts: Map<string, string>;
  weights: ByteSource;
}

const HINT =
  "Give model.safetensors with config.json, generation_config.json and tokenizer.json, or one ggml .bin file of whisper.cpp.";

export async function findSpeechModel(
  spec: SourceSpec,
  signal: AbortSignal,
  download: DownloadOptions,
  open: OpenUrl,
  hub: HubAccess,
): Promise<SpeechFiles> {
  const source = spec.kind === "files" ? among(spec.files) : spec;
  const model = await findModel(source, signal, download, open, hub).catch((error: unknown) => {
    throw forSpeech(error, spec);
  });
  if (model.kind === "one") return { texts: new Map(), weights: model.open() };
  const [first, ...others] = model.weights;
  if (first === undefined || others.length > 0) {
    throw refuse(
      `model: its weights are in ${String(model.weights.length)} files, and a speech model is read from one`,
      "Look for a copy of the model with one model.safetensors, or a ggml .bin file of it.",
    );
  }
  return { texts: model.texts, weights: first() };
}

/** Chooses the model among files of a folder, in which it may lie in several formats. */
function among(files: File[]): SourceSpec {
  const whole = files.find(({ name }) => name === "model.safetensors");
  const isOther = ({ name }: File): boolean => /\.(safetensors|bin)$/i.test(name);
  if (whole !== undefined) return { kind: "files", files: files.filter((file) => file === whole || !isOther(file)) };
  if (files.some(({ name }) => /\.safetensors$/i.test(name))) return { kind: "files", files };
  const bins = files.filter(isOther);
  const [blob, ...more] = bins;
  if (blob !== undefined && more.length === 0) return { kind: "blob", blob };
  const names = (bins.length > 0 ? bins : files).map(({ name }) => name).join(", ") || "none";
  const what = bins.length > 0 ? "are several models" : "is no model";
  throw refuse(`model: there ${what} among the files that were given: ${names}`, HINT);
}

/** Replaces the advice for repositories of language models, which is to look for a GGUF. */
function forSpeech(error: unknown, { kind }: SourceSpec): HearthError {
  const reason = toHearthError(error);
  if (kind !== "hub" || (reason.code !== "invalid_request" && reason.code !== "unsupported_quant")) return reason;
  return refuse(
    reason.message,
    "Name a repository with a model.safetensors, such as openai/whisper-base, or the address of one ggml .bin file.",
  );
}

function refuse(message: string, hint: string): HearthError {
  return new HearthError("invalid_request", message, { hint });
}
