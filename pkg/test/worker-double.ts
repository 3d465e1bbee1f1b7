/** A Worker for Node: the real host on the fake core, connected to the client by a MessageChannel. */
import { Host } from "../src/worker/host.js";
import type { StartPool } from "../src/worker/load.js";
import type { ToWorker } from "../src/core/protocol.js";
import * as grammarWasm from "./fake-grammar.js";
import * as picturesWasm from "./fake-pictures.js";
import * as wasm from "./fake-wasm.js";

export class WorkerDouble {
  static last: WorkerDouble | undefined;
  static startPool: StartPool = () => Promise.reject(new Error("no threads in Node"));
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: { message: string; preventDefault(): void }) => void) | null = null;
  onmessageerror: (() => void) | null = null;
  terminated = false;
  readonly host: Host;
  readonly #channel = new MessageChannel();

  constructor(readonly url: string | URL) {
    WorkerDouble.last = this;
    const { port1, port2 } = this.#channel;
    this.host = new Host({
      wasm,
      wasmUrl: "about:blank",
      grammarWasm,
      grammarUrl: "about:blank",
      picturesWasm,
      picturesUrl: "about:blank",
      post: (message) => {
        port2.postMessage(message);
      },
      startPool: (threads, onStart) => WorkerDouble.startPool(threads, onStart),
      destroyDevice: () => {
        this.host.deviceLost("destroyed");
      },
    });
    port2.onmessage = (event: MessageEvent<ToWorker>) => {
      void this.host.handle(event.data);
    };
    port1.onmessage = (event) => {
      this.onmessage?.(event);
    };
  }

  postMessage(message: unknown, transfer: Transferable[] = []): void {
    // Node's MessagePort type and the DOM's differ in name only.
    this.#channel.port1.postMessage(message, transfer as never);
  }

  terminate(): void {
    this.terminated = true;
    this.#channel.port1.close();
  }
}
