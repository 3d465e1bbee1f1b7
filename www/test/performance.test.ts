/** The benchmark's report: the real package on the fake core, with a prediction that a test dictates. */
import type { FitSpeed, LocalEngine } from "hearth-llm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { create, useFakeCore } from "../../pkg/test/engine-support.js";
import { deviceInfo } from "../../pkg/test/fake-objects.js";
import { fake } from "../../pkg/test/fake-wasm.js";
import { historyOf, measuredSpeed, record, runBenchmark, type BenchmarkReport } from "../src/state/performance.js";
import type { AnswerStats } from "../src/store/tree.js";
import { backendOf } from "./backends.js";

useFakeCore();

beforeEach(() => {
  fake.stepMs = 1;
  vi.stubGlobal("navigator", { userAgent: "Test/1.0" });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const PREDICTED: FitSpeed = {
  tokens_per_second: 50,
  at_most: 80,
  launches: 184,
  step: { gaps: 1, latency: 2, work: 3 },
  bandwidth: 1e11,
  gap: 4,
  gap_measured: true,
  like: "a laptop",
  evidence: "measured",
};

/** Runs the benchmark on the fake core's CPU, which may claim to be a GPU. */
async function run(device: "webgpu" | "cpu", predicted: FitSpeed | undefined): Promise<BenchmarkReport> {
  const { backend } = await create();
  const { local } = backend;
  if (local === undefined) throw new Error("an engine is local");
  const shown: LocalEngine = {
    device: deviceInfo(device, {}),
    model: local.model,
    version: local.version,
    tokenize: (text) => local.tokenize(text),
    detokenize: (ids) => local.detokenize(ids),
    stats: () => local.stats(),
  };
  const { signal } = new AbortController();
  const predict = (): Promise<FitSpeed | undefined> => Promise.resolve(predicted);
  return runBenchmark(backend, shown, { signal, onCase: () => undefined, predict });
}

describe("the benchmark", () => {
  it("sets what was measured next to the prediction, with adapter, tier, versions and counts", async () => {
    const report = await run("webgpu", PREDICTED);
    const { decode, cases } = report;
    expect(report).toMatchObject({
      format: "hearth-benchmark",
      version: 3,
      hearth: "0.0.0-fake",
      browser: "Test/1.0",
      tier: "gpu",
      device: { kind: "webgpu", software: false },
      predicted_decode: PREDICTED,
    });
    const measured = cases.find(({ name }) => name === "decode_64")?.tokens_per_second ?? 0;
    expect(measured).toBeGreaterThan(0);
    expect(decode?.tokens_per_second).toEqual({ measured, predicted: 50 });
    expect(decode?.launches.predicted).toBe(184);
    expect(decode?.ratio).toBeCloseTo(measured / 50, 9);
    // The fake core counts a launch, a replay and a read-back for each step, over all runs together.
    for (const { counts } of cases) {
      expect(counts.dispatches).toBeGreaterThan(0);
      expect(counts.readbacks).toBe(counts.dispatches);
      expect(counts.dispatches).toBeLessThan(fake.steps);
    }
    // It is a file: nothing is lost by writing it down.
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it("stands without a prediction, which the CPU has none of", async () => {
    for (const report of [await run("cpu", PREDICTED), await run("webgpu", undefined)]) {
      expect(report.predicted_decode).toBeNull();
      expect(report.decode?.ratio).toBeNull();
      expect(report.decode?.tokens_per_second).toMatchObject({ predicted: null });
    }
  });

  it("sends nothing", async () => {
    const sent = vi.fn(() => Promise.reject(new Error("nothing is sent")));
    for (const name of ["fetch", "XMLHttpRequest", "WebSocket", "EventSource"]) vi.stubGlobal(name, sent);
    vi.stubGlobal("navigator", { userAgent: "Test/1.0", sendBeacon: sent });
    await run("webgpu", PREDICTED);
    expect(sent).not.toHaveBeenCalled();
  });
});

describe("the speeds of answers", () => {
  it("are those of the model that runs", () => {
    const stats = (tokensPerSecond: number): AnswerStats => {
      return { tokens: 20, drafted: 0, rejected: 0, prompt: 1, cached: 0, firstToken: 1, tokensPerSecond };
    };
    const [here, far] = ["here", "far"].map((name) =>
      backendOf(async function* () {
        // Nobody asks it.
      }, name),
    );
    if (here === undefined || far === undefined) throw new Error("two were made");
    record(here, stats(5));
    record(here, stats(7));
    expect([measuredSpeed(here), historyOf(here).length]).toEqual([7, 2]);
    record(far, stats(90));
    expect([measuredSpeed(far), measuredSpeed(here)]).toEqual([90, undefined]);
  });
});
