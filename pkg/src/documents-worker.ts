/** The entry point of the worker for documents; the page's end is `documents/worker/index.ts`. */
import type { ReadJob, WordsCall } from "./documents/worker/protocol.js";
import { Server } from "./documents/worker/serve.js";

// pdf.js resolves the addresses of its tables by the document's, which a worker has not. Letting its own worker fetch them
// would make it ask for fonts as well.
Object.assign(globalThis, { document: { baseURI: self.location.href } });

const server = new Server((message, transfer) => {
  self.postMessage(message, { transfer });
});

self.onmessage = ({ data }: MessageEvent<ReadJob | WordsCall>) => {
  void server.handle(data);
};
self.postMessage({ type: "ready" });
