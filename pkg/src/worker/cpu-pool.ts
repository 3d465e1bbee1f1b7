/**
 * Threads of the CPU path: instances of hearth_cpu.wasm, each in a worker, on one shared memory (crate `hearth-cpu`).
 *
 * The memory holds the block-quantised weights, and what jobs read and write. Threads need a cross-origin isolated page,
 * because only there can memory be shared.
 */
import { HearthError } from "../core/errors.js";
import type { WasmCpuPool } from "../core/wasm-contract.js";

/** Exports of cpu/src/threads.rs; `job` is the address of a Job. */
export interface CpuModule {
  readonly __heap_base: WebAssembly.Global<"i32">;
  readonly __stack_pointer: WebAssembly.Global<"i32">;
  hearth_job_bytes(): number;
  hearth_begin(job: number): void;
  hearth_await(job: number, seen: number): number;
  hearth_work(job: number, thread: number): void;
  /** Returns 1 when the job is done, and 0 if other threads take long. */
  hearth_finish(job: number): number;
}

/** Message with which a thread's worker joins. */
export interface CpuThread {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  stackTop: number;
  job: number;
  /** Number of the thread; the caller's is 0. */
  thread: number;
}

const PAGE = 65_536;
const STACK_BYTES = PAGE;
/** Words of a Job from which on the host writes: number of threads, tokens, number of stages, floats, stages. */
const HOST_WORDS = 2;
/** Words of a Stage. */
const STAGE_WORDS = 15;
/**
 * Maximum sizes of the memory to try, in pages: all that 32 bits can address, then what browsers on phones still grant.
 * Only used pages take physical memory.
 */
const MOST_PAGES = [65_536, 32_768, 16_384];
/**
 * Pages kept free of weights for activations: once an answer is running, a failed allocation cannot be recovered from.
 */
const RESERVE = (64 << 20) / PAGE;
/** Time after which a thread that has not finished its part is considered lost. */
const LIMIT_MS = 10_000;
/** Maximum number of threads by default: beyond the fast cores of common machines they only wait for each other. */
const MAX_THREADS = 8;

/** Maximum number of threads that a caller may request. */
const LIMIT = 64;

/**
 * Returns the number of threads to start; without a request, as many as the machine has, and 1 if memory cannot be
 * shared.
 */
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
  // Each instance assumes the same stack address; on a shared memory each needs a different one.
  cpu.__stack_pointer.value = stackTop;
  return cpu;
}

export class CpuPool implements WasmCpuPool {
  readonly #memory: WebAssembly.Memory;
  readonly #cpu: CpuModule;
  readonly #others: number;
  readonly #maximum: number;
  /** Views of the whole memory, made anew when it grows: a view costs more than a small product's copies. */
  #views: Views;
  /** Error that ended a thread, after which no job can be finished. */
  #failure: HearthError | undefined;
  /** First address that was never allocated. */
  #end: number;
  /** Regions before it that were given back; none touches another. */
  #holes: Region[] = [];
  readonly #job: number;
  /** The floats of jobs, as many as the largest job so far has had. */
  #floats = { at: 0, count: 0 };

  private constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, maximum: number, threads: number) {
    this.#memory = memory;
    this.#maximum = maximum;
    this.#others = threads - 1;
    this.#cpu = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as CpuModule;
    this.#views = viewsOf(memory);
    this.#end = align(this.#cpu.__heap_base.value);
    this.#job = this.#take(this.#cpu.hearth_job_bytes(), maximum);
  }

  /**
   * Starts `threads - 1` workers; the caller is the first thread. They end with the worker in which they were started.
   * `onStart` is called when the module has been fetched: after that, no wait is due to the network.
   */
  static async start(
    threads: number,
    url: string | URL,
    newWorker: () => Worker,
    onStart: () => void = () => undefined,
  ): Promise<CpuPool> {
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
    const { memory, maximum } = sharedMemory();
    const pool = new CpuPool(module, memory, maximum, threads);
    onStart();
    const ready: Promise<void>[] = [];
    const workers: Worker[] = [];
    for (let i = 1; i < threads; i++) {
      const stackTop = pool.alloc(STACK_BYTES) + STACK_BYTES;
      const thread = { module, memory, stackTop, job: pool.#job, thread: i };
      const onEnd = (error: HearthError): void => {
        pool.#failure = error;
      };
      const worker = newWorker();
      workers.push(worker);
      ready.push(startThread(thread, worker, onEnd));
    }
    try {
      await Promise.all(ready);
    } catch (error) {
      for (const worker of workers) worker.terminate();
      throw error;
    }
    return pool;
  }

  threads(): number {
    return this.#others + 1;
  }

  /** Allocates memory for weights, for keys and values, and for the threads' stacks. */
  alloc(bytes: number): number {
    return this.#take(bytes, this.#maximum - RESERVE);
  }

  /** Gives back what `alloc` returned for as many bytes. */
  free(at: number, bytes: number): void {
    if (bytes === 0) return;
    const region = { at, end: align(at + bytes) };
    const apart: Region[] = [];
    for (const hole of this.#holes) {
      if (hole.end === region.at) region.at = hole.at;
      else if (hole.at === region.end) region.end = hole.end;
      else apart.push(hole);
    }
    this.#holes = apart;
    if (region.end === this.#end) this.#end = region.at;
    else apart.push(region);
  }

  #take(bytes: number, maximum: number): number {
    const size = align(bytes);
    const hole = this.#holes.find(({ at, end }) => end - at >= size);
    if (hole !== undefined) {
      hole.at += size;
      if (hole.at === hole.end) this.#holes = this.#holes.filter((other) => other !== hole);
      return hole.at - size;
    }
    const at = this.#end;
    const end = at + size;
    const missing = Math.ceil((end - this.#views.words.byteLength) / PAGE);
    try {
      if (end > maximum * PAGE) throw new RangeError(`${String(maximum * PAGE)} bytes are all that there may be`);
      if (missing > 0) {
        this.#memory.grow(missing);
        this.#views = viewsOf(this.#memory);
      }
    } catch (cause) {
      throw new HearthError(
        "out_of_memory",
        `the memory of the CPU's threads cannot take ${String(bytes)} bytes more`,
        {
          hint: "Choose a smaller model or context, or close other pages.",
          cause,
        },
      );
    }
    this.#end = end;
    return at;
  }

  write(at: number, words: Uint32Array): void {
    this.#views.words.set(words, at / 4);
  }

  read(at: number, words: Uint32Array): void {
    words.set(new Uint32Array(this.#views.words.buffer, at, words.length));
  }

  run(
    tokens: number,
    stages: Uint32Array,
    floats: number,
    input: Float32Array,
    at: number,
    output: Float32Array,
  ): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (floats > this.#floats.count) {
      this.free(this.#floats.at, 4 * this.#floats.count);
      this.#floats = { at: this.#take(4 * floats, this.#maximum), count: floats };
    }
    const { words, counters, floats: all } = this.#views;
    const first = this.#floats.at / 4;
    all.set(input, first);
    const job = this.#job / 4;
    // The caller works like the others, so that a wait for them happens here and can be abandoned.
    words[job + HOST_WORDS] = this.#others + 1;
    words[job + HOST_WORDS + 1] = tokens;
    words[job + HOST_WORDS + 2] = stages.length / STAGE_WORDS;
    words[job + HOST_WORDS + 3] = this.#floats.at;
    words.set(stages, job + HOST_WORDS + 4);
    this.#cpu.hearth_begin(this.#job);
    if (this.#others > 0) Atomics.notify(counters, job);
    if (this.#cpu.hearth_finish(this.#job) === 0) this.#finish();
    output.set(all.subarray(first + at, first + at + output.length));
  }

  /** Finishes a job for which other threads take long, with a limit in case one is lost. */
  #finish(): void {
    let [waited, before] = [0, performance.now()];
    while (this.#cpu.hearth_finish(this.#job) === 0) {
      const now = performance.now();
      // Time during which a laptop slept does not count.
      waited += Math.min(now - before, 100);
      before = now;
      if (waited < LIMIT_MS) continue;
      this.#failure = new HearthError("worker_died", "a thread of the CPU does not answer any more");
      throw this.#failure;
    }
  }
}

/** Addresses from `at` on, before `end`. */
interface Region {
  at: number;
  end: number;
}

interface Views {
  words: Uint32Array;
  counters: Int32Array;
  floats: Float32Array;
}

function viewsOf({ buffer }: WebAssembly.Memory): Views {
  return { words: new Uint32Array(buffer), counters: new Int32Array(buffer), floats: new Float32Array(buffer) };
}

/** Creates the largest shared memory that the browser grants. */
function sharedMemory(): { memory: WebAssembly.Memory; maximum: number } {
  let error: unknown;
  for (const maximum of MOST_PAGES) {
    try {
      return { memory: new WebAssembly.Memory({ initial: 32, maximum, shared: true }), maximum };
    } catch (cause) {
      error = cause;
    }
  }
  throw new HearthError("out_of_memory", "the browser gives no memory that threads can share", { cause: error });
}

function align(address: number): number {
  return Math.ceil(address / 64) * 64;
}

function startThread(thread: CpuThread, worker: Worker, onEnd: (error: HearthError) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    let isReady = false;
    worker.onmessage = () => {
      isReady = true;
      resolve();
    };
    worker.onerror = (event) => {
      const what = isReady ? "ended" : "could not be started";
      const error = new HearthError("worker_died", `a thread of the CPU ${what}: ${event.message}`);
      onEnd(error);
      reject(error);
    };
    worker.postMessage(thread);
  });
}
