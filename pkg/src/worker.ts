/** The worker's entry point: connects the core, the GPU shims and the messages. The logic is in `host.ts`. */
import { CpuPool } from "./worker/cpu-pool.js";
import { installGpuShims } from "./worker/gpu-shims.js";
import { Host } from "./worker/host.js";
import type { ToWorker } from "./core/protocol.js";
import * as grammarWasm from "./wasm/grammar.js";
import * as wasm from "./wasm/hearth.js";
import * as picturesWasm from "./wasm/pictures.js";
import { startFrom } from "./backend/worker-script.js";

/**
 * This module's address, in a variable: written out where it is used, it would make bundlers take the thread's script
 * for a second file.
 */
const HERE: string = import.meta.url;

let wantsSubgroups = true;

const hooks = installGpuShims({
  subgroups: () => wantsSubgroups,
  onLost: (info) => {
    host.deviceLost(info.message || info.reason);
  },
});

const host = new Host({
  wasm,
  wasmUrl: new URL("./wasm/hearth_bg.wasm", import.meta.url),
  grammarWasm,
  grammarUrl: new URL("./wasm/grammar_bg.wasm", import.meta.url),
  picturesWasm,
  picturesUrl: new URL("./wasm/pictures_bg.wasm", import.meta.url),
  post: (message) => {
    self.postMessage(message);
  },
  // Bundlers search for exactly these expressions, so they must stay in one piece.
  startPool: (threads, onStart) =>
    CpuPool.start(
      threads,
      new URL("./wasm/hearth_cpu.wasm", import.meta.url),
      () =>
        startFrom(
          () => new Worker(new URL("./cpu-worker.js", import.meta.url), { type: "module", name: "hearth-cpu" }),
          new URL("./cpu-worker.js", HERE),
          "hearth-cpu",
        ),
      onStart,
    ),
  beforeOpen: (request) => {
    wantsSubgroups = request.deviceOptions.features !== "none";
  },
  destroyDevice: () => hooks.current()?.destroy(),
});

self.onmessage = (event: MessageEvent<ToWorker>) => {
  void host.handle(event.data);
};

// A panic in a task that the core spawned rejects none of our promises: it shows up only here.
self.addEventListener("error", (event) => {
  event.preventDefault();
  host.trapped(event.error ?? event.message);
});
self.addEventListener("unhandledrejection", (event) => {
  if (event.reason instanceof WebAssembly.RuntimeError) host.trapped(event.reason);
});
