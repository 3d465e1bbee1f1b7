/** The entry point of the worker that recognises speech: connects the module and the messages. The page's end is `audio/link.ts`. */
import { SpeechHost } from "./audio/worker/host.js";
import type { ToSpeechWorker } from "./audio/protocol.js";
import * as wasm from "./wasm/audio.js";

const host = new SpeechHost({
  wasm,
  // Bundlers search for exactly this expression, so it must stay in one piece.
  wasmUrl: new URL("./wasm/audio_bg.wasm", import.meta.url),
  post: (message, transfer) => {
    self.postMessage(message, { transfer });
  },
});

self.onmessage = (event: MessageEvent<ToSpeechWorker>) => {
  void host.handle(event.data);
};
