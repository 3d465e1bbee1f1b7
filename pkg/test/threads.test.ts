import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Engine, HearthError } from "../src/index.js";
import { CpuPool } from "../src/worker/cpu-pool.js";
import type { StartPool } from "../src/worker/load.js";
import type { WasmCpuPool } from "../src/core/wasm-contract.js";
import { WorkerDouble } from "./worker-double.js";

const { startPool } = WorkerDouble;

beforeEach(() => {
  vi.stubGlobal("Worker", WorkerDouble);
  vi.stubGlobal("crossOriginIsolated", true);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  WorkerDouble.startPool = startPool;
});

/** Start function of a pool whose module loads, but whose threads never start. */
const hang: StartPool = (_, onStart) => {
  onStart();
  return new Promise(() => undefined);
};

/** Loads on two threads with a fast clock. Messages take real turns of the event loop. */
async function load(): Promise<Engine | HearthError> {
  const model = new Blob(["GGUF".padEnd(100, "x")]);
  let result: Engine | HearthError | undefined;
  Engine.create({ model, device: "cpu", threads: 2 }).then(
    (engine) => (result = engine),
    (error: unknown) => (result = error as HearthError),
  );
  for (let turn = 0; result === undefined && turn < 2000; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(20);
  }
  if (result === undefined) throw new Error("the load hangs");
  return result;
}

describe("threads that hang while they start", () => {
  it("are tried again with another worker", async () => {
    const pools = vi.fn<StartPool>(() => Promise.resolve({ threads: () => 2 } as WasmCpuPool));
    pools.mockImplementationOnce(hang);
    WorkerDouble.startPool = pools;
    const engine = await load();
    expect(engine).toBeInstanceOf(Engine);
    expect(pools).toHaveBeenCalledTimes(2);
    (engine as Engine).dispose();
  });

  it("are done without in the end, and a notice says so", async () => {
    const pools = vi.fn<StartPool>(hang);
    WorkerDouble.startPool = pools;
    const engine = await load();
    expect(engine).toBeInstanceOf(Engine);
    expect((engine as Engine).notice?.code).toBe("one_thread");
    expect(pools).toHaveBeenCalledTimes(3);
    (engine as Engine).dispose();
  });

  it("are not blamed for a slow network", async () => {
    let compiled: (() => void) | undefined;
    WorkerDouble.startPool = async (_, onStart) => {
      await new Promise<void>((resolve) => (compiled = resolve));
      onStart();
      return { threads: () => 2 } as WasmCpuPool;
    };
    setTimeout(() => compiled?.(), 20_000);
    const engine = await load();
    expect(engine).toBeInstanceOf(Engine);
    expect((engine as Engine).notice).toBeUndefined();
    (engine as Engine).dispose();
  });

  it("that cannot be started are no reason not to run", async () => {
    WorkerDouble.startPool = () => Promise.reject(new RangeError("could not allocate memory"));
    const engine = await load();
    expect(engine).toMatchObject({ notice: { code: "one_thread" } });
    (engine as Engine).dispose();
  });
});

/** Stubs the module with exports that do what a test needs. */
function stubModule(isDone: boolean): void {
  const exports = {
    __heap_base: { value: 1024 },
    __stack_pointer: { value: 0 },
    hearth_job_bytes: () => 600,
    hearth_begin: () => undefined,
    hearth_finish: () => Number(isDone),
  };
  vi.stubGlobal("fetch", () => Promise.resolve(new Response(new Uint8Array(8))));
  const { compile } = WebAssembly;
  vi.spyOn(WebAssembly, "compile").mockImplementation((bytes) =>
    // Node's own fetch compiles a module, too.
    bytes.byteLength === 8 ? Promise.resolve({} as WebAssembly.Module) : compile(bytes),
  );
  vi.spyOn(WebAssembly, "Instance").mockImplementation(function (this: object) {
    return Object.assign(this, { exports });
  });
}
let memories: WebAssembly.Memory[];

/** Refuses a memory of more than this many pages, as iOS does. */
function stubMemory(most: number): number[] {
  const asked: number[] = [];
  const { Memory } = WebAssembly;
  vi.spyOn(WebAssembly, "Memory").mockImplementation(function ({ maximum = 0 }: WebAssembly.MemoryDescriptor) {
    asked.push(maximum);
    if (maximum > most) throw new RangeError("could not allocate memory");
    const memory = new Memory({ initial: 32, maximum: Math.min(maximum, 64), shared: true });
    memories.push(memory);
    return memory;
  });
  return asked;
}

class Thread {
  static all: Thread[] = [];
  onmessage: (() => void) | null = null;
  onerror: ((event: { message: string }) => void) | null = null;
  terminate = vi.fn();
  constructor() {
    Thread.all.push(this);
  }
  postMessage(): void {
    queueMicrotask(() => this.onmessage?.());
  }
}

describe("the pool", () => {
  const start = (threads = 2): Promise<CpuPool> => CpuPool.start(threads, "x.wasm", () => new Thread() as never);
  const job = (pool: CpuPool): void => {
    pool.run(1, new Uint32Array(15), 64, new Float32Array(32), 32, new Float32Array(1));
  };

  beforeEach(() => {
    memories = [];
    Thread.all = [];
  });

  afterEach(() => {
    vi.restoreAllMocks();
  });

  it.each([
    [65_536, [65_536]],
    [32_768, [65_536, 32_768]],
    [16_384, [65_536, 32_768, 16_384]],
  ])("takes the largest memory that the browser gives: %d pages", async (most, asked) => {
    stubModule(true);
    const found = stubMemory(most);
    expect((await start()).threads()).toBe(2);
    expect(found).toEqual(asked);
  });

  it("says so where the browser gives none", async () => {
    stubModule(true);
    stubMemory(0);
    await expect(start()).rejects.toMatchObject({ code: "out_of_memory" });
  });

  it("keeps its place when the memory is at its end", async () => {
    stubModule(true);
    stubMemory(65_536);
    const pool = await start();
    const before = pool.alloc(64);
    for (const bytes of [2 ** 32, 2 ** 26]) {
      expect(() => pool.alloc(bytes)).toThrow(expect.objectContaining({ code: "out_of_memory" }) as Error);
    }
    expect(pool.alloc(64)).toBe(before + 64);
    expect(() => {
      pool.run(1, new Uint32Array(15), 2 ** 21, new Float32Array(32), 32, new Float32Array(1));
    }).toThrow(expect.objectContaining({ code: "out_of_memory" }) as Error);
  });

  it("takes what was given back", async () => {
    stubModule(true);
    stubMemory(65_536);
    const pool = await start();
    const [a, b, c] = [64, 100, 64].map((bytes) => pool.alloc(bytes)) as [number, number, number];
    expect(c).toBe(a + 64 + 128);
    pool.free(b, 100);
    // Too large for the hole, then into it, then behind all.
    const d = pool.alloc(256);
    expect(d).toBe(c + 64);
    expect([64, 64, 64].map((bytes) => pool.alloc(bytes))).toEqual([b, b + 64, d + 256]);
    // Holes that touch become one, whichever comes first.
    for (const at of [b + 64, a, b]) pool.free(at, 64);
    expect(pool.alloc(192)).toBe(a);
    // The last regions leave no hole behind.
    pool.free(d + 256, 64);
    pool.free(d, 256);
    expect(pool.alloc(1000)).toBe(d);
  });

  it("does not wait for a thread that is gone", async () => {
    stubModule(false);
    stubMemory(65_536);
    const pool = await start();
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => (now += 99));
    // The other thread never does its part.
    expect(() => {
      job(pool);
    }).toThrow(expect.objectContaining({ code: "worker_died" }) as Error);
  });

  it("begins nothing more when a thread has ended", async () => {
    stubModule(true);
    stubMemory(65_536);
    const pool = await start();
    job(pool);
    Thread.all[0]?.onerror?.({ message: "out of memory" });
    expect(() => {
      job(pool);
    }).toThrow(expect.objectContaining({ code: "worker_died" }) as Error);
  });
});
