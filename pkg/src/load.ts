/** In the worker: from a load request to an engine of the core. */
import { chooseThreads } from "./cpu-pool.js";
import { HearthError, throwIfAborted, toHearthError } from "./errors.js";
import { requireWebGpu } from "./gpu-probe.js";
import { ProgressMeter } from "./progress.js";
import { CachedSource, type CacheContext } from "./cache/source.js";
import type { LoadProgress, LoadRequest, Notice } from "./protocol.js";
import { checked, Checksum } from "./source/checksum.js";
import { HttpSource } from "./source/http.js";
import { sleep } from "./source/retry.js";
import { coalesce, findModel, readHeaders, type OpenUrl } from "./source/index.js";
import { keepTuning, keptTuning } from "./tuning-store.js";
import type {
  DeviceOptions,
  HearthWasm,
  LoaderOptions,
  WasmCpuPool,
  WasmDevice,
  WasmEngine,
  WasmFiles,
  WasmLoader,
} from "./wasm-contract.js";

const COMPILE_POLL_MS = 100;
/** What goes on beside a load is waited for so long at its end. */
const BESIDE_MS = 2000;

export async function initCore(wasm: HearthWasm, url: string | URL): Promise<void> {
  try {
    await wasm.default({ module_or_path: url });
  } catch (cause) {
    throw new HearthError("wasm_failed", `the WebAssembly core could not be started: ${toHearthError(cause).message}`, {
      cause,
    });
  }
}

/** Starts threads for the CPU path. */
export type StartPool = (threads: number) => Promise<WasmCpuPool>;

export interface OpenedDevice {
  device: WasmDevice;
  notice?: Notice;
}

/** The CPU is opened when the caller names it, or with `"auto"` where there is no WebGPU; then a notice says why. */
export async function openDevice(wasm: HearthWasm, request: LoadRequest, startPool: StartPool): Promise<OpenedDevice> {
  const { device: choice, deviceOptions } = request;
  const openCpu = async (): Promise<WasmDevice> => {
    const threads = chooseThreads(request.threads);
    return wasm.Device.open("cpu", deviceOptions, threads > 1 ? await startPool(threads) : undefined);
  };
  if (choice === "cpu") return { device: await openCpu() };
  try {
    const adapter = await requireWebGpu();
    return { device: await openGpu(wasm, deviceOptions, adapter) };
  } catch (error) {
    const reason = toHearthError(error);
    if (choice !== "auto" || reason.code !== "no_webgpu") throw reason;
    const notice: Notice = {
      code: "cpu_fallback",
      message: `The model runs on the CPU, which is much slower. ${reason.message}`,
      hint: reason.hint,
    };
    return { device: await openCpu(), notice };
  }
}

/** With what was measured before, unless the caller restricts the device, which then is another one. */
async function openGpu(wasm: HearthWasm, options: DeviceOptions, adapter: string): Promise<WasmDevice> {
  if (Object.keys(options).length > 0) return wasm.Device.open("webgpu", options);
  const tuning = await keptTuning(adapter, wasm.version());
  const device = await wasm.Device.open("webgpu", tuning === undefined ? {} : { tuning });
  if (tuning === undefined) await keepTuning(adapter, wasm.version(), device.tuning());
  return device;
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
  const beside: Promise<void>[] = [];
  const model = await findModel(
    request.source,
    signal,
    request.download,
    opener(wasm, request, signal, notify, beside),
  );
  const sources = model.kind === "one" ? [model.open()] : model.weights.map((open) => open());
  let [received, total] = [0, 0];
  let files: WasmFiles | undefined;
  if (model.kind === "several") {
    files = new wasm.Files();
    total = await readHeaders(model, files, signal);
  }
  async function* counted(): AsyncGenerator<Uint8Array, void, void> {
    for (const source of sources) {
      for await (const piece of source.chunks()) {
        received += piece.length;
        if (model.kind === "one") total = source.total ?? 0;
        meter.update({ phase: "download", loaded: received, total });
        yield piece;
      }
    }
  }

  let loader: WasmLoader | undefined;
  // Made when the first bytes are here, because a download knows its length only then.
  const open = (): WasmLoader => {
    const options: LoaderOptions = {};
    if (request.contextSize !== undefined) options.contextSize = request.contextSize;
    if (request.kvType !== undefined) options.kvType = request.kvType;
    if (request.drafts !== undefined) options.drafts = request.drafts;
    if (request.quantize !== undefined) options.quantize = request.quantize;
    const length = sources[0]?.total;
    if (model.kind === "one" && length !== undefined) options.totalBytes = length;
    return new wasm.Loader(device, options, files);
  };
  for await (const chunk of coalesce(counted())) {
    loader ??= open();
    await loader.push(chunk);
    throwIfAborted(signal);
    const progress = loader.progress();
    if (progress !== null) meter.update(progress);
  }
  loader ??= open();
  const engine = await finish(loader, meter);
  if (beside.length > 0) await Promise.race([Promise.all(beside), sleep(BESIDE_MS, signal)]);
  throwIfAborted(signal);
  report({ phase: "ready", loaded: received, total: received });
  return engine;
}

/** By way of the cache, unless the caller wants none. */
function opener(
  wasm: HearthWasm,
  { cache, download }: LoadRequest,
  signal: AbortSignal,
  notify: (notice: Notice) => void,
  beside: Promise<void>[],
): OpenUrl {
  const checksumOf = (url: string, sum: string | undefined): Checksum | undefined =>
    sum === undefined ? undefined : new Checksum(url, sum, new wasm.Sha256());
  if (cache === "no-store") {
    return (url, _, sum) => checked(new HttpSource(url, signal, download), checksumOf(url, sum));
  }
  let isNotified = false;
  const context: CacheContext = {
    mode: cache,
    // One is enough for a model of many files.
    notify: (notice) => {
      if (!isNotified) notify(notice);
      isNotified = true;
    },
    beside: (task) => beside.push(task),
  };
  return (url, isOptional, sum) => new CachedSource(url, signal, download, context, isOptional, checksumOf(url, sum));
}

async function finish(loader: WasmLoader, meter: ProgressMeter): Promise<WasmEngine> {
  meter.update({ phase: "compile", loaded: 0, total: 0 });
  const poll = setInterval(() => {
    try {
      const progress = loader.progress();
      if (progress !== null) meter.update(progress);
    } catch {
      // finish() has taken the loader over; then there is nothing more to ask it.
      clearInterval(poll);
    }
  }, COMPILE_POLL_MS);
  try {
    return await loader.finish();
  } finally {
    clearInterval(poll);
  }
}
