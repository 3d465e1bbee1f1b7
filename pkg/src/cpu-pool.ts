/**
 * Threads for the CPU path: instances of hearth_cpu.wasm, each in a worker, on one shared memory (crate `hearth-cpu`).
 *
 * The memory holds the block-quantised weights, and for each projection its input and output. There are threads only
 * where the page is cross-origin isolated, because only there memory can be shared.
 */
import { HearthError } from "./errors.js";
import type { WasmCpuPool } from "./wasm-contract.js";

/** Exports of cpu/src/threads.rs, `job` being the address of a Job. */
export interface CpuModule {
  readonly __heap_base: WebAssembly.Global<"i32">;
  readonly __stack_pointer: WebAssembly.Global<"i32">;
  hearth_scratch_bytes(tokens: number, cols: number): number;
  hearth_begin(job: number): void;
  hearth_finish(job: number): void;
  hearth_await(job: number, seen: number): number;
  hearth_work(job: number): void;
}

/** What a thread's worker needs to join. */
export interface CpuThread {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  stackTop: number;
  job: number;
}

const PAGE = 65_536;
const STACK_BYTES = PAGE;
/** Words of a Job, and where the host's part of it begins. */
const JOB_WORDS = 16;
const OTHERS = 3;
/** Most threads that are started unasked: beyond the fast cores of common machines they only wait for each other. */
const MAX_THREADS = 8;

/** Threads that somebody may ask for. */
const LIMIT = 64;

/** The threads to start for a request; without one the machine's, and 1 where memory cannot be shared. */
export function chooseThreads(wanted: number | undefined): number {
  const isIsolated = globalThis.crossOriginIsolated;
  if (wanted === undefined) {
    return isIsolated ? Math.max(1, Math.min(MAX_THREADS, navigator.hardwareConcurrency)) : 1;
  }
  const refuse = (expected: string): HearthError =>
    new HearthError("invalid_request", `invalid request: threads must be ${expected}, found ${String(wanted)}`);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > LIMIT) throw refuse(`an integer from 1 to ${String(LIMIT)}`);
  if (wanted > 1 && !isIsolated) throw refuse("1 on a page that is not cross-origin isolated");
  return wanted;
}

export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory, stackTop: number): CpuModule {
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  const cpu = instance.exports as unknown as CpuModule;
  // Each instance has the same idea of where its stack is; on one memory each needs its own.
  cpu.__stack_pointer.value = stackTop;
  return cpu;
}

export class CpuPool implements WasmCpuPool {
  readonly #memory: WebAssembly.Memory;
  readonly #cpu: CpuModule;
  readonly #others: number;
  /** The first free address. */
  #free: number;
  readonly #job: number;
  /** Regions that grow with the largest job so far. */
  #x = { at: 0, bytes: 0 };
  #y = { at: 0, bytes: 0 };
  #scratch = { at: 0, bytes: 0 };

  private constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, threads: number) {
    this.#memory = memory;
    this.#others = threads - 1;
    this.#cpu = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as CpuModule;
    this.#free = align(this.#cpu.__heap_base.value);
    this.#job = this.alloc(4 * JOB_WORDS);
  }

  /** Starts `threads - 1` workers; the caller is the first thread. They end with the worker that they were started in. */
  static async start(threads: number, url: string | URL, newWorker: () => Worker): Promise<CpuPool> {
    let module: WebAssembly.Module;
    try {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`HTTP ${String(response.status)}`);
      module = await WebAssembly.compile(await response.arrayBuffer());
    } catch (cause) {
      throw new HearthError("wasm_failed", `the module of the CPU's threads could not be loaded from ${String(url)}`, {
        cause,
      });
    }
    // The most a 32-bit memory can be; only what is used is backed by anything.
    const memory = new WebAssembly.Memory({ initial: 32, maximum: PAGE, shared: true });
    const pool = new CpuPool(module, memory, threads);
    const ready: Promise<void>[] = [];
    for (let i = 1; i < threads; i++) {
      const stackTop = pool.alloc(STACK_BYTES) + STACK_BYTES;
      ready.push(startThread({ module, memory, stackTop, job: pool.#job }, newWorker()));
    }
    await Promise.all(ready);
    return pool;
  }

  threads(): number {
    return this.#others + 1;
  }

  alloc(bytes: number): number {
    const at = this.#free;
    this.#free = align(at + bytes);
    const missing = this.#free - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE));
    return at;
  }

  write(at: number, words: Uint32Array): void {
    new Uint32Array(this.#memory.buffer, at, words.length).set(words);
  }

  read(at: number, words: Uint32Array): void {
    words.set(new Uint32Array(this.#memory.buffer, at, words.length));
  }

  product(
    format: number,
    quants: number,
    scales: number,
    rows: number,
    cols: number,
    x: Float32Array,
    y: Float32Array,
  ): void {
    const tokens = x.length / cols;
    this.#x = this.#atLeast(this.#x, x.byteLength);
    this.#y = this.#atLeast(this.#y, y.byteLength);
    this.#scratch = this.#atLeast(this.#scratch, this.#cpu.hearth_scratch_bytes(tokens, cols));
    const { buffer } = this.#memory;
    new Float32Array(buffer, this.#x.at, x.length).set(x);
    const words = new Uint32Array(buffer, this.#job, JOB_WORDS);
    words.set(
      [this.#others, format, rows, cols, tokens, quants, scales, this.#x.at, this.#y.at, this.#scratch.at],
      OTHERS,
    );
    this.#cpu.hearth_begin(this.#job);
    if (this.#others > 0) Atomics.notify(new Int32Array(buffer), this.#job / 4);
    this.#cpu.hearth_finish(this.#job);
    y.set(new Float32Array(buffer, this.#y.at, y.length));
  }

  #atLeast(region: { at: number; bytes: number }, bytes: number): { at: number; bytes: number } {
    return bytes <= region.bytes ? region : { at: this.alloc(bytes), bytes };
  }
}

function align(address: number): number {
  return Math.ceil(address / 64) * 64;
}

function startThread(thread: CpuThread, worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.onmessage = () => {
      resolve();
    };
    worker.onerror = (event) => {
      reject(new HearthError("worker_died", `a thread could not be started: ${event.message}`));
    };
    worker.postMessage(thread);
  });
}
