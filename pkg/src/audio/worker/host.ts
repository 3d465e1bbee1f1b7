/**
 * The logic of the worker that recognises speech. It uses no worker globals, so it runs in tests too.
 *
 * A failed load needs no cleanup here: the page ends the worker, which frees everything.
 */
import { HearthError, serializeError, throwIfAborted } from "../../core/errors.js";
import type { Notice } from "../../core/protocol.js";
import { yieldToEventLoop } from "../../worker/yield.js";
import type { AudioWasm, ModuleInfo, SpeechEvent, WasmSpeechModel } from "../module.js";
import {
  SAMPLE_RATE,
  type FromSpeechWorker,
  type SpeechCallName,
  type SpeechCalls,
  type SpeechLoaded,
  type SpeechLoadRequest,
  type ToSpeechWorker,
  type TranscribeRequest,
} from "../protocol.js";
import { loadSpeechModel, startModule } from "./load.js";

export interface SpeechHostOptions {
  wasm: AudioWasm;
  /** Address of `audio_bg.wasm` unless the page names another one. */
  wasmUrl: string | URL;
  post(message: FromSpeechWorker, transfer: Transferable[]): void;
}

export class SpeechHost {
  readonly #options: SpeechHostOptions;
  readonly #running = new Map<number, AbortController>();
  #model: WasmSpeechModel | undefined;
  #isDead = false;

  constructor(options: SpeechHostOptions) {
    this.#options = options;
  }

  /** Handles a message of the page. Does not reject. */
  async handle(message: ToSpeechWorker): Promise<void> {
    if (message.type === "cancel") {
      this.#running.get(message.id)?.abort();
      return;
    }
    const { id } = message;
    const controller = new AbortController();
    this.#running.set(id, controller);
    try {
      const result = await this.#dispatch(message, controller.signal);
      this.#post({ type: "result", id, result }, result instanceof Float32Array ? [result.buffer] : []);
    } catch (error) {
      this.#fail(id, error);
    } finally {
      this.#running.delete(id);
    }
  }

  // Async, so that what the module throws rejects.
  async #dispatch(
    message: Extract<ToSpeechWorker, { type: "call" }>,
    signal: AbortSignal,
  ): Promise<SpeechCalls[SpeechCallName]["result"]> {
    const { wasm } = this.#options;
    switch (message.call) {
      case "load":
        return await this.#load(message.id, message.params, signal);
      case "decodeWav":
        return wasm.decodeWav(message.params.bytes);
      case "transcribe":
        return await this.#transcribe(message.id, message.params, signal);
      case "subtitles":
        return wasm.subtitles(message.params.kind, JSON.stringify(message.params.segments));
    }
  }

  async #load(id: number, request: SpeechLoadRequest, signal: AbortSignal): Promise<SpeechLoaded> {
    const { wasm, wasmUrl } = this.#options;
    await startModule(wasm, request.wasmUrl ?? wasmUrl);
    throwIfAborted(signal);
    const notices: Notice[] = [];
    this.#model = await loadSpeechModel(
      wasm,
      request,
      signal,
      (progress) => {
        this.#post({ type: "progress", id, progress });
      },
      (notice) => notices.push(notice),
    );
    return { info: JSON.parse(this.#model.info()) as ModuleInfo, notices };
  }

  async #transcribe(id: number, { sound, options }: TranscribeRequest, signal: AbortSignal): Promise<null> {
    if (this.#model === undefined) throw new HearthError("internal_error", "no model is loaded in this worker");
    const { samples, sampleRate } = sound;
    const heard = sampleRate === SAMPLE_RATE ? samples : this.#options.wasm.resample(samples, sampleRate);
    const run = this.#model.start(heard, JSON.stringify(options));
    try {
      for (;;) {
        throwIfAborted(signal);
        const event = run.next();
        if (event === undefined) return null;
        this.#post({ type: "event", id, event: JSON.parse(event) as SpeechEvent });
        await yieldToEventLoop();
      }
    } catch (error) {
      if (isTrap(error)) this.#die(error);
      throw error;
    } finally {
      // The memory of a module that trapped is undefined; it goes with the worker.
      if (!this.#isDead) run.free();
    }
  }

  #fail(id: number, error: unknown): void {
    if (isTrap(error)) this.#die(error);
    else this.#post({ type: "error", id, error: serializeError(error) });
  }

  #die(trap: WebAssembly.RuntimeError): void {
    const error = new HearthError("worker_died", `the module that recognises speech stopped: ${trap.message}`, {
      cause: trap,
      hint: "Ask again: another worker is started for it. If it stays, choose a smaller model or close other pages.",
    });
    this.#post({ type: "fatal", error: serializeError(error) });
    this.#isDead = true;
  }

  #post(message: FromSpeechWorker, transfer: Transferable[] = []): void {
    if (!this.#isDead) this.#options.post(message, transfer);
  }
}

function isTrap(error: unknown): error is WebAssembly.RuntimeError {
  return error instanceof WebAssembly.RuntimeError;
}
