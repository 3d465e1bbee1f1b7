/** The entry point of the worker that reads documents; the page's end is `documents/worker/index.ts`. */
import type { FromReader, ReadJob } from "./documents/worker/protocol.js";
import { serve } from "./documents/worker/serve.js";

const post = (message: FromReader, transfer: Transferable[] = []): void => {
  self.postMessage(message, { transfer });
};

self.onmessage = ({ data }: MessageEvent<ReadJob>) => {
  void serve(data, post);
};
post({ type: "ready" });
