import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Engine, HearthError } from "../src/index.js";
import type { WasmCpuPool } from "../src/wasm-contract.js";
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

/** Loads on two threads, the clock running fast. Messages take real turns of the event loop. */
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
    const pools = vi.fn((): Promise<WasmCpuPool> => Promise.resolve({ threads: () => 2 } as WasmCpuPool));
    pools.mockImplementationOnce(() => new Promise(() => undefined));
    WorkerDouble.startPool = pools;
    const engine = await load();
    expect(engine).toBeInstanceOf(Engine);
    expect(pools).toHaveBeenCalledTimes(2);
    (engine as Engine).dispose();
  });

  it("fail the load in the end", async () => {
    const pools = vi.fn((): Promise<WasmCpuPool> => new Promise(() => undefined));
    WorkerDouble.startPool = pools;
    expect(await load()).toMatchObject({ code: "worker_died" });
    expect(pools).toHaveBeenCalledTimes(3);
  });
});
