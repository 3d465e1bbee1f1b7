/** The entry point of the worker that recognises speech: connects the modules and the messages. The page's end is `audio/link.ts`. */
import { SpeechHost } from "./audio/worker/host.js";
import type { ToSpeechWorker } from "./audio/protocol.js";
import * as wasm from "./wasm/audio.js";
import * as core from "./wasm/hearth.js";
import { installGpuShims } from "./worker/gpu-shims.js";

installGpuShims({
  subgroups: () => true,
  onLost: (info) => {
    host.deviceLost(info.message || info.reason);
  },
});

const host = new SpeechHost({
  wasm,
  // Bundlers search for exactly these expressions, so they must stay in one piece.
  wasmUrl: new URL("./wasm/audio_bg.wasm", import.meta.url),
  core,
  coreUrl: new URL("./wasm/hearth_bg.wasm", import.meta.url),
  post: (message, transfer) => {
    self.postMessage(message, { transfer });
  },
});

self.onmessage = (event: MessageEvent<ToSpeechWorker>) => {
  void host.handle(event.data);
};

// A panic in a task that the core spawned rejects none of our promises: it shows up only here.
self.addEventListener("unhandledrejection", (event) => {
  if (event.reason instanceof WebAssembly.RuntimeError) host.trapped(event.reason);
});
