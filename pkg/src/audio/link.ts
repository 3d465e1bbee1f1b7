/** The connection of a transcriber to its worker. */
import { throwIfAborted, type HearthError } from "../core/errors.js";
import { loadInto, ModuleLink } from "../backend/module-link.js";
import { ModuleRpc } from "../backend/module-rpc.js";
import type { ModuleInfo, RunOptions, SpeechEvent, SubtitleKind } from "./module.js";
import type { AudioSamples, SpeechCalls, SpeechLoadRequest, SubtitlesRequest } from "./protocol.js";
import { absolute, toDownload } from "../source/given.js";
import { toSource } from "./source.js";
import { startWorker } from "./start.js";
import type { TranscriberOptions } from "./transcriber.js";

type SpeechRpc = ModuleRpc<SpeechCalls, SpeechEvent>;

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
  /** Returns the probabilities of speech in the frames of 32 ms that have become whole. `sound`: the next of a stream, taken away. */
  hear(stream: number, sound: AudioSamples): Promise<Float32Array>;
  /** Ends a stream. */
  forget(stream: number): Promise<void>;
}

export class SpeechLink implements Speech {
  readonly model: SpeechInfo;
  readonly #link: ModuleLink<SpeechRpc>;

  private constructor({ client, model }: Loaded, options: TranscriberOptions) {
    this.model = model;
    // Another worker must not download the files a second time.
    const cache = options.cache === "reload" ? "default" : (options.cache ?? "default");
    this.#link = new ModuleLink(client, async (signal) => (await load({ ...options, cache, signal })).client);
  }

  static async open(options: TranscriberOptions): Promise<SpeechLink> {
    return new SpeechLink(await load(options), options);
  }

  async decodeWav(bytes: Uint8Array): Promise<Float32Array> {
    return await (await this.#link.opened()).call("decodeWav", { bytes });
  }

  async subtitles(kind: SubtitleKind, segments: SubtitlesRequest["segments"]): Promise<string> {
    return await (await this.#link.opened()).call("subtitles", { kind, segments });
  }

  async hear(stream: number, sound: AudioSamples): Promise<Float32Array> {
    const transfer = [sound.samples.buffer as ArrayBuffer];
    return await (await this.#link.opened()).call("hear", { stream, sound }, { transfer });
  }

  async forget(stream: number): Promise<void> {
    // Another worker knows nothing of it.
    await this.#link.running?.call("forget", { stream });
  }

  /** Runs a transcription in its turn; the samples are taken away. */
  async transcribe(sound: AudioSamples, options: RunOptions, { signal, onEvent }: RunCalls): Promise<void> {
    const deliver = (event: SpeechEvent): void => {
      if (!signal.aborted) onEvent(event);
    };
    await this.#link.inTurn(signal, (client) => {
      const transfer = [sound.samples.buffer as ArrayBuffer];
      return client.call("transcribe", { sound, options }, { signal, transfer, onEvent: deliver });
    });
  }

  /** Ends the worker; running and later requests reject with the reason. */
  close(reason: HearthError): void {
    this.#link.close(reason);
  }
}

/** Starts a worker and loads the model into it. On failure or abort nothing is left running. */
async function load(options: TranscriberOptions): Promise<Loaded> {
  const { model, download = {}, cache = "default", device = "auto", signal, onProgress, onNotice, workerUrl } = options;
  throwIfAborted(signal);
  const { source, name } = await toSource(model, download);
  const request: SpeechLoadRequest = { source, cache, device, download: toDownload(download, source) };
  if (options.wasmUrl !== undefined) request.wasmUrl = absolute(options.wasmUrl);
  if (options.coreUrl !== undefined) request.coreUrl = absolute(options.coreUrl);
  // The signal may have fired in the meantime, before there was a listener.
  throwIfAborted(signal);
  const client: SpeechRpc = new ModuleRpc(startWorker(workerUrl), "speech");
  const { info, notices } = await loadInto(client, signal, () => client.call("load", request, { onProgress }));
  for (const notice of notices) onNotice?.(notice);
  return { client, model: { name, ...info } };
}
