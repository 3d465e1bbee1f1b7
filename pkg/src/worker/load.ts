/** Worker side: turns a load request into an engine of the core. */
import { accessTo } from "./access.js";
import { chooseThreads } from "./cpu-pool.js";
import { HearthError, throwIfAborted, toHearthError } from "../core/errors.js";
import { given } from "../core/given.js";
import { requireWebGpu } from "./gpu-probe.js";
import { oneThread } from "../core/notices.js";
import { ProgressMeter } from "./progress.js";
import type { LoadProgress, LoadRequest, Notice } from "../core/protocol.js";
import { coalesce, findModel } from "../source/index.js";
import { memoryFor } from "../fit/memory.js";
import { takeHeaders } from "./headers.js";
import { openGpu } from "./open-gpu.js";
import type {
  HearthWasm,
  LoaderOptions,
  LoaderProgress,
  WasmCpuPool,
  WasmDevice,
  WasmEngine,
  WasmFiles,
  WasmLoader,
} from "../core/wasm-contract.js";

export async function initCore(wasm: HearthWasm, url: string | URL): Promise<void> {
  try {
    await wasm.default({ module_or_path: url });
  } catch (cause) {
    throw new HearthError("wasm_failed", `the WebAssembly core could not be started: ${toHearthError(cause).message}`, {
      cause,
    });
  }
}

/** Starts threads for the CPU path; calls `onStart` once everything has been fetched. */
export type StartPool = (threads: number, onStart: () => void) => Promise<WasmCpuPool>;

export interface OpenedDevice {
  device: WasmDevice;
  notices: Notice[];
}

/** Opens the device. The CPU is used if requested, or with `"auto"` if there is no WebGPU; then a notice says why. */
export async function openDevice(
  wasm: HearthWasm,
  request: LoadRequest,
  startPool: (threads: number) => Promise<WasmCpuPool>,
): Promise<OpenedDevice> {
  const { device: choice, deviceOptions } = request;
  const notices: Notice[] = [];
  const openCpu = async (): Promise<OpenedDevice> => {
    const threads = chooseThreads(request.threads);
    let pool: WasmCpuPool | undefined;
    if (threads > 1) {
      try {
        pool = await startPool(threads);
      } catch (error) {
        // Threads only make it faster; without them the model still runs.
        notices.push(oneThread(toHearthError(error).message));
      }
    }
    return { device: await wasm.Device.open("cpu", deviceOptions, pool), notices };
  };
  if (choice === "cpu") return await openCpu();
  try {
    const adapter = await requireWebGpu();
    return { device: await openGpu(wasm, deviceOptions, adapter), notices };
  } catch (error) {
    const reason = toHearthError(error);
    if (choice !== "auto" || reason.code !== "no_webgpu") throw reason;
    notices.push({
      code: "cpu_fallback",
      message: `The model runs on the CPU, which is much slower. ${reason.message}`,
      hint: reason.hint,
    });
    return await openCpu();
  }
}

/** Streams the model into the core; the file is never in memory as a whole. */
export async function loadModel(
  wasm: HearthWasm,
  device: WasmDevice,
  request: LoadRequest,
  signal: AbortSignal,
  report: (progress: LoadProgress) => void,
  notify: (notice: Notice) => void,
): Promise<WasmEngine> {
  const meter = new ProgressMeter(report);
  const access = accessTo(wasm.Sha256, request, signal, notify);
  const { source, download, mmproj } = request;
  const model = await findModel(source, signal, download, access.open, access.hub, mmproj);
  const create = (files?: WasmFiles, length?: number): WasmLoader => {
    const options: LoaderOptions = given(
      request,
      "contextSize",
      "kvType",
      "drafts",
      "quantize",
      "conversations",
      "overrides",
    );
    const memory = memoryFor(device.info().kind);
    if (request.contextSize === undefined && memory !== undefined) options.memory = memory;
    if (length !== undefined) options.totalBytes = length;
    if (request.contextStore !== undefined) options.fingerprint = true;
    return new wasm.Loader(device, options, files);
  };
  const headers = await takeHeaders(wasm, model, { signal, take: (files) => create(files), onDrop: notify });
  const sources = headers?.weights.map((open) => open()) ?? (model.kind === "one" ? [model.open()] : []);
  let received = 0;
  let total = headers?.total ?? 0;
  async function* counted(): AsyncGenerator<Uint8Array, void, void> {
    for (const source of sources) {
      for await (const piece of source.chunks()) {
        received += piece.length;
        if (headers === undefined) total = source.total ?? 0;
        meter.update({ phase: "download", loaded: received, total });
        yield piece;
      }
    }
  }

  let loader = headers?.taken;
  // That of one file is created when its first bytes have arrived, because a download knows its length only then.
  const open = (): WasmLoader => create(undefined, sources[0]?.total);
  for await (const chunk of coalesce(counted())) {
    loader ??= open();
    await loader.push(chunk);
    throwIfAborted(signal);
    const progress = loader.progress();
    if (progress !== null) meter.update(toProgress(progress));
  }
  loader ??= open();
  // The loader counts no pipelines.
  meter.update({ phase: "compile", loaded: 0, total: 0 });
  const engine = await loader.finish();
  await access.finish();
  report({ phase: "ready", loaded: received, total: received });
  return engine;
}

/** Omits `tensor` if none is being read. */
function toProgress({ tensor, ...progress }: LoaderProgress): LoadProgress {
  return tensor === null ? progress : { ...progress, tensor };
}
