/** The entry point of the worker that translates: connects the module and the messages. The page's end is `translation/link.ts`. */
import { TranslationHost } from "./translation/worker/host.js";
import type { ToTranslationWorker } from "./translation/protocol.js";
import * as wasm from "./wasm/translation.js";

const host = new TranslationHost({
  wasm,
  // Bundlers search for exactly this expression, so it must stay in one piece.
  wasmUrl: new URL("./wasm/translation_bg.wasm", import.meta.url),
  post: (message, transfer) => {
    self.postMessage(message, { transfer });
  },
});

self.onmessage = (event: MessageEvent<ToTranslationWorker>) => {
  void host.handle(event.data);
};
