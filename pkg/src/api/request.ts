/** The way of every request from the API to its backend, whole or streamed. */
import type { BackendOptions, Sent } from "../backend/backend.js";
import type { RequestOptions } from "./openai.js";
import { asHearthError, followSignals } from "./signals.js";
import { CompletionStream } from "./stream.js";

interface Signalled {
  signal?: AbortSignal | null;
}

export async function whole<Params extends Signalled, Result>(
  params: Params,
  options: RequestOptions,
  send: (params: Sent<Params>, options: BackendOptions) => Promise<Result>,
): Promise<Result> {
  const { signal: own, ...sent } = params;
  const { controller, unlink } = followSignals([own, options.signal]);
  const { signal } = controller;
  try {
    return await send(sent, { signal });
  } catch (error) {
    throw asHearthError(error, signal);
  } finally {
    unlink();
  }
}

export async function streamed<Params extends Signalled, Chunk>(
  params: Params,
  options: RequestOptions,
  send: (params: Sent<Params>, options: BackendOptions) => Promise<AsyncIterable<Chunk>>,
): Promise<CompletionStream<Chunk>> {
  const { signal: own, ...sent } = params;
  const { controller, unlink } = followSignals([own, options.signal]);
  const { signal } = controller;
  try {
    return new CompletionStream(await send(sent, { signal }), controller, unlink);
  } catch (error) {
    unlink();
    throw asHearthError(error, signal);
  }
}
