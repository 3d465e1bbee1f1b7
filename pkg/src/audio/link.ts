/**
 * The connection of a transcriber to its worker. The worker is replaced when it dies: the request that it had fails, and the next
 * one loads the model again, from the cache.
 */
import { cancelled, HearthError, throwIfAborted, toHearthError } from "../core/errors.js";
import { Lock } from "../core/lock.js";
import type { ModuleInfo, RunOptions, SpeechEvent, SubtitleKind } from "./module.js";
import type { AudioSamples, SpeechLoadRequest, SubtitlesRequest } from "./protocol.js";
import { SpeechRpc } from "./rpc.js";
import { absolute, toDownload, toSource } from "./source.js";
import { startWorker } from "./start.js";
import type { TranscriberOptions } from "./transcriber.js";

/** Facts of a loaded model. */
export interface SpeechInfo extends ModuleInfo {
  /** Name of the model, taken from its repository or file. */
  name: string;
}

export interface RunCalls {
  signal: AbortSignal;
  onEvent: (event: SpeechEvent) => void;
}

interface Loaded {
  client: SpeechRpc;
  model: SpeechInfo;
}

/** The part of a link that answers requests. */
export interface Speech {
  readonly model: SpeechInfo;
  decodeWav(bytes: Uint8Array): Promise<Float32Array>;
  transcribe(sound: AudioSamples, options: RunOptions, calls: RunCalls): Promise<void>;
  subtitles(kind: SubtitleKind, segments: SubtitlesRequest["segments"]): Promise<string>;
}

export class SpeechLink implements Speech {
  readonly model: SpeechInfo;
  readonly #options: TranscriberOptions;
  /** Held by one transcription at a time. */
  readonly #turns = new Lock();
  /** Aborts the creation of a worker when the transcriber ends. */
  readonly #renewal = new AbortController();
  #client: SpeechRpc;
  #opening: Promise<SpeechRpc> | undefined;
  #end: HearthError | undefined;

  private constructor({ client, model }: Loaded, options: TranscriberOptions) {
    this.#client = client;
    this.model = model;
    // Another worker must not download the files a second time.
    const cache = options.cache === "reload" ? "default" : (options.cache ?? "default");
    this.#options = { ...options, cache, signal: this.#renewal.signal };
  }

  static async open(options: TranscriberOptions): Promise<SpeechLink> {
    return new SpeechLink(await load(options), options);
  }

  async decodeWav(bytes: Uint8Array): Promise<Float32Array> {
    return await (await this.#opened()).call("decodeWav", { bytes });
  }

  async subtitles(kind: SubtitleKind, segments: SubtitlesRequest["segments"]): Promise<string> {
    return await (await this.#opened()).call("subtitles", { kind, segments });
  }

  /**
   * Runs a transcription in its turn; the samples are taken away. Rejects at once on abort, while the next one waits until the
   * worker has really stopped.
   */
  transcribe(sound: AudioSamples, options: RunOptions, { signal, onEvent }: RunCalls): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        reject(cancelled(signal.reason));
      };
      if (signal.aborted) {
        onAbort();
        return;
      }
      signal.addEventListener("abort", onAbort, { once: true });
      const deliver = (event: SpeechEvent): void => {
        if (!signal.aborted) onEvent(event);
      };
      this.#turns
        .run(async () => {
          throwIfAborted(signal);
          const client = await this.#opened();
          const transfer = [sound.samples.buffer as ArrayBuffer];
          await client.call("transcribe", { sound, options }, { signal, transfer, onEvent: deliver });
        })
        .then(resolve, (error: unknown) => {
          reject(toHearthError(error));
        })
        .finally(() => {
          signal.removeEventListener("abort", onAbort);
        });
    });
  }

  /** Ends the worker; running and later requests reject with the reason. */
  close(reason: HearthError): void {
    this.#end ??= reason;
    this.#renewal.abort();
    this.#client.close(this.#end);
  }

  /** Returns the worker, or another one if it has ended. */
  async #opened(): Promise<SpeechRpc> {
    if (this.#end !== undefined) throw this.#end;
    if (!this.#client.isClosed) return this.#client;
    this.#opening ??= this.#reopen().finally(() => {
      this.#opening = undefined;
    });
    return await this.#opening;
  }

  async #reopen(): Promise<SpeechRpc> {
    try {
      const { client } = await load(this.#options);
      this.#client = client;
    } catch (error) {
      throw this.#end ?? error;
    }
    if (this.#end !== undefined) {
      this.#client.close(this.#end);
      throw this.#end;
    }
    return this.#client;
  }
}

/** Starts a worker and loads the model into it. On failure or abort nothing is left running. */
async function load(options: TranscriberOptions): Promise<Loaded> {
  const { model, download = {}, cache = "default", signal, onProgress, onNotice, wasmUrl, workerUrl } = options;
  throwIfAborted(signal);
  const { source, name } = await toSource(model, download);
  const request: SpeechLoadRequest = { source, cache, download: toDownload(download, source) };
  if (wasmUrl !== undefined) request.wasmUrl = absolute(wasmUrl);
  // The signal may have fired in the meantime, before there was a listener.
  throwIfAborted(signal);
  const client = new SpeechRpc(startWorker(workerUrl));
  // Ending the worker is the only way to stop a load that works in every phase.
  const onAbort = (): void => {
    client.close(cancelled(signal?.reason));
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const { info, notices } = await client.call("load", request, { onProgress });
    for (const notice of notices) onNotice?.(notice);
    return { client, model: { name, ...info } };
  } catch (error) {
    client.close(toHearthError(error));
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}
