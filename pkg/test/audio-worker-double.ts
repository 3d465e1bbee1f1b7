/** A worker for Node that recognises speech: the real host on the fake module, connected to the page by a MessageChannel. */
import { SpeechHost } from "../src/audio/worker/host.js";
import type { ToSpeechWorker } from "../src/audio/protocol.js";
import { MODULE } from "./audio-module.js";

export class AudioWorkerDouble {
  static all: AudioWorkerDouble[] = [];
  /** Called with each worker that is started, before it hears anything. */
  static onStart: ((worker: AudioWorkerDouble) => void) | undefined;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: { message: string; preventDefault(): void }) => void) | null = null;
  onmessageerror: (() => void) | null = null;
  isTerminated = false;
  readonly #channel = new MessageChannel();

  constructor(
    readonly url: string | URL,
    readonly options: { name: string },
  ) {
    AudioWorkerDouble.all.push(this);
    queueMicrotask(() => AudioWorkerDouble.onStart?.(this));
    const { port1, port2 } = this.#channel;
    const host = new SpeechHost({
      wasm: MODULE,
      wasmUrl: "about:blank",
      post: (message, transfer) => {
        // Node's MessagePort type and the DOM's differ in name only.
        port2.postMessage(message, transfer as never);
      },
    });
    port2.onmessage = (event: MessageEvent<ToSpeechWorker>) => {
      void host.handle(event.data);
    };
    port1.onmessage = (event) => {
      this.onmessage?.(event);
    };
  }

  postMessage(message: unknown, transfer: Transferable[] = []): void {
    this.#channel.port1.postMessage(message, transfer as never);
  }

  terminate(): void {
    this.isTerminated = true;
    this.#channel.port1.close();
  }
}
