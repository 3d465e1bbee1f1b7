/**
 * The first module of a thread: gives it the globals of a web worker, and imports the worker's script, which then runs as it does
 * in browsers. Nothing here touches the caller's thread.
 */
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parentPort, workerData, type Transferable as ThreadTransferable } from "node:worker_threads";
import "./platform.js";
import { findGpu } from "./gpu.js";
import type { ThreadStart } from "./thread-worker.js";

type Handler = (event: object) => void;

const { script, wantsGpu } = workerData as ThreadStart;
const scope = globalThis as unknown as { onmessage?: Handler | null };

/** Messages that came before the script could take them: not every runtime keeps them in the port. */
const early: unknown[] = [];
let isReady = false;
parentPort?.on("message", (data: unknown) => {
  if (isReady) scope.onmessage?.({ data });
  else early.push(data);
});

function define(target: object, values: object): void {
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(target, name, { value, writable: true, configurable: true });
  }
}

/** Listens to what escapes all calls: a panic in a task of the core. */
function listen(type: string, handler: Handler): void {
  const preventDefault = (): void => undefined;
  if (type === "error") {
    process.on("uncaughtException", (error: Error) => {
      handler({ error, message: error.message, preventDefault });
    });
  } else if (type === "unhandledrejection") {
    process.on("unhandledRejection", (reason) => {
      handler({ reason, preventDefault });
    });
  }
}

const fetchRemote = globalThis.fetch;

/** Fetches files of the package as well, whose addresses Node's `fetch` refuses. */
const fetchAny: typeof fetch = async (input, init) => {
  const url = input instanceof Request ? input.url : String(input);
  if (!url.startsWith("file:")) return await fetchRemote(input, init);
  const type = url.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
  return new Response(await readFile(fileURLToPath(url)), { headers: { "Content-Type": type } });
};

define(globalThis, {
  self: globalThis,
  location: { href: script },
  // Threads share memory without headers.
  crossOriginIsolated: true,
  onmessage: null,
  postMessage: (message: unknown, options?: Transferable[] | { transfer?: Transferable[] }) => {
    const transfer = Array.isArray(options) ? options : options?.transfer;
    parentPort?.postMessage(message, transfer as ThreadTransferable[] | undefined);
  },
  fetch: fetchAny,
});
// Deno and Bun have it.
if (typeof globalThis.addEventListener !== "function") define(globalThis, { addEventListener: listen });
if ((globalThis as { navigator?: object }).navigator === undefined) define(globalThis, { navigator: {} });
const gpu = wantsGpu ? await findGpu() : undefined;
define(navigator, {
  hardwareConcurrency: availableParallelism(),
  ...(gpu !== undefined && { gpu }),
});

await import(script);
isReady = true;
for (const data of early.splice(0)) scope.onmessage?.({ data });
