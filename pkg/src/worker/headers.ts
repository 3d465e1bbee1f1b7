/** Worker side: reads the headers of a model in several files, and of its projector. */
import { throwIfAborted, toHearthError, type HearthError } from "../core/errors.js";
import type { Notice } from "../core/protocol.js";
import type { HearthWasm, WasmFiles } from "../core/wasm-contract.js";
import { readHeaders, type ModelFiles } from "../source/index.js";
import type { ByteSource } from "../source/source.js";

/** A model in several files, whose headers the core has taken. */
export interface Headers<T> {
  taken: T;
  weights: (() => ByteSource)[];
  /** Bytes of all files. */
  total: number;
}

export interface HeaderOptions<T> {
  signal: AbortSignal;
  /** Passes the headers on, which it frees. In a trial, a failure leaves the projector out. */
  take: (files: WasmFiles, isTrial: boolean) => T;
  /** Hears that the model goes without the projector beside it, which cannot be used. */
  onDrop: (notice: Notice) => void;
}

/**
 * Reads the headers and passes them on; returns undefined for a model of one file, which is read from its beginning. A projector that
 * was only found beside the model is left out if it cannot be fetched or used, since the model runs without it.
 */
export async function takeHeaders<T>(
  wasm: Pick<HearthWasm, "Files">,
  { projector, ...model }: ModelFiles,
  { signal, take, onDrop }: HeaderOptions<T>,
): Promise<Headers<T> | undefined> {
  const own = model.kind === "one" ? [model.open] : model.weights;
  const texts = model.kind === "one" ? new Map<string, string>() : model.texts;
  const attempt = async (weights: (() => ByteSource)[], isTrial: boolean): Promise<Headers<T>> => {
    const files = new wasm.Files();
    const total = await readHeaders({ texts, weights }, files, signal);
    return { taken: take(files, isTrial), weights, total };
  };
  if (projector !== undefined) {
    try {
      return await attempt([...own, projector.open], !projector.isAsked);
    } catch (error) {
      throwIfAborted(signal);
      const reason = toHearthError(error);
      if (projector.isAsked || error instanceof WebAssembly.RuntimeError) throw error;
      // A fault of the model's own files shows again.
      onDrop(noPictures(projector.name, reason));
    }
  }
  return model.kind === "one" ? undefined : await attempt(own, false);
}

function noPictures(name: string, { message, hint }: HearthError): Notice {
  return {
    code: "no_pictures",
    message: `The model takes text only: ${name} beside it, by which it would see, cannot be used (${message}).`,
    hint,
  };
}
