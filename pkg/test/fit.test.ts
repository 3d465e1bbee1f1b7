import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { canRun, judge, type Fit, type FitOptions } from "../src/fit/fit.js";
import { memoryFor } from "../src/fit/memory.js";
import { Inspector } from "./fake-wasm.js";
import { WorkerDouble } from "./worker-double.js";
import { report } from "./reports.js";

const GIB = 2 ** 30;
const NONE: Fit["has"] = { memory: null, binding: null, storage: null };

describe("memoryFor", () => {
  it.each<[string, object, webgpu: number | undefined, cpu: number]>([
    ["a machine that says nothing", {}, undefined, 3 * GIB],
    ["a small phone", { deviceMemory: 4, userAgent: "Android" }, 1.4 * GIB, 1.4 * GIB],
    ["a large machine", { deviceMemory: 8 }, 5.6 * GIB, 3 * GIB],
  ])("bounds the default context: %s", (_, navigator, webgpu, cpu) => {
    vi.stubGlobal("navigator", navigator);
    expect(memoryFor("cpu")).toBe(cpu);
    expect(memoryFor("webgpu")).toBe(webgpu);
  });
});

describe("judge", () => {
  it("says that a model fits where nothing speaks against it", () => {
    expect(judge(report(), { ...NONE, memory: 3 * GIB })).toMatchObject({
      verdict: "fits",
      evidence: "told",
      changes: {},
      reasons: [],
      needs: { weights: 2 * GIB, total: 2.5 * GIB, download: 2 * GIB },
      uncached: false,
      tokens_per_second: 50,
    });
    expect(judge(report(), { memory: 3 * GIB, binding: GIB, storage: 3 * GIB }).verdict).toBe("fits");
  });

  it("finds the context that fits", () => {
    const fit = judge(report(), { ...NONE, memory: 2.25 * GIB });
    expect(fit).toMatchObject({ verdict: "smaller", changes: { contextSize: 2048 } });
    expect(fit.reasons).toHaveLength(1);
  });

  it("leaves room for the tower of a model that sees", () => {
    const seeing = report();
    Object.assign(seeing.budget?.memory ?? {}, { vision: GIB / 4, total: 2.75 * GIB });
    const fit = judge(seeing, { ...NONE, memory: 2.5 * GIB });
    expect(fit).toMatchObject({ verdict: "smaller", changes: { contextSize: 2048 }, needs: { vision: GIB / 4 } });
  });

  it("counts adapters that are added later", () => {
    const memory = { ...NONE, memory: 2.5 * GIB };
    expect(judge(report(), memory)).toMatchObject({ verdict: "fits", needs: { adapters: 0 } });
    const fit = judge(report(), memory, undefined, GIB / 4);
    expect(fit).toMatchObject({
      verdict: "smaller",
      changes: { contextSize: 2048 },
      needs: { adapters: GIB / 4, total: 2.75 * GIB },
    });
    expect(fit.reasons.join()).toContain("2816 MiB");
  });

  it("finds the context whose cache can be bound", () => {
    // The keys of one layer take 16 MiB.
    const fit = judge(report(), { ...NONE, binding: 4 * 2 ** 20 });
    expect(fit).toMatchObject({ verdict: "smaller", changes: { contextSize: 1024 } });
  });

  it("finds the quantisation that fits", () => {
    // The weights take 9/16 of 2 GiB, which leaves the rest to the cache.
    expect(judge(report(), { ...NONE, memory: 1.7 * GIB })).toMatchObject({
      verdict: "smaller",
      changes: { quantize: "q8" },
    });
    const q4 = judge(report(), { ...NONE, memory: GIB });
    expect(q4.changes).toMatchObject({ quantize: "q4" });
    expect(q4.changes.contextSize).toBeGreaterThan(2000);
  });

  it("does not offer to quantise what is quantised", () => {
    const quants = { Q8_0: { tensors: 1, parameters: GIB, bytes: 1.0625 * GIB } };
    expect(judge(report(quants), { ...NONE, memory: GIB })).toMatchObject({ verdict: "does_not_fit", changes: {} });
  });

  it("says when there is no room to keep it", () => {
    expect(judge(report(), { ...NONE, memory: 3 * GIB, storage: GIB })).toMatchObject({
      verdict: "fits",
      uncached: true,
    });
  });

  it("passes on why a model cannot be run at all", () => {
    const { budget, ...rest } = report();
    expect(budget).toBeDefined();
    const unsupported = { code: "unsupported_architecture" as const, message: "mamba is unknown", hint: "" };
    expect(judge({ ...rest, unsupported }, NONE)).toMatchObject({
      verdict: "does_not_fit",
      reasons: ["mamba is unknown"],
    });
  });
});

/** Returns a GPU that grants this many bytes. */
function gpuWith(bytes: number): object {
  const device = (): object => {
    let [given, refused] = [0, false];
    const live = new Set<object>();
    made.push(live);
    return {
      lost: new Promise(() => undefined),
      limits: { maxBufferSize: GIB },
      pushErrorScope: () => (refused = false),
      popErrorScope: () => Promise.resolve(refused ? {} : null),
      createBuffer: ({ size }: { size: number }) => {
        refused = given + size > bytes;
        if (!refused) given += size;
        const buffer = { destroy: () => live.delete(buffer) };
        live.add(buffer);
        return buffer;
      },
      destroy: () => undefined,
    };
  };
  const limits = { maxStorageBufferBindingSize: 4 * GIB };
  return { requestAdapter: () => Promise.resolve({ limits, requestDevice: () => Promise.resolve(device()) }) };
}
let made: Set<object>[];

describe("canRun", () => {
  beforeEach(() => {
    vi.stubGlobal("Worker", WorkerDouble);
    made = [];
  });

  afterEach(() => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  type Verdict = [Fit["verdict"], Fit["evidence"]];
  it.each<[string, total: number, navigator: object, FitOptions["memory"], Verdict]>([
    ["nothing is known, and it is small", 0.5, {}, undefined, ["fits", "guessed"]],
    ["nothing is known", 2, {}, undefined, ["unknown", null]],
    ["nothing is known of 40 GB", 40, { gpu: gpuWith(100 * GIB) }, undefined, ["unknown", null]],
    ["the caller told that it is enough", 40, {}, 48, ["fits", "told"]],
    ["the caller told that it is not", 40, {}, 24, ["does_not_fit", "told"]],
    ["the machine is small", 6, { deviceMemory: 4 }, undefined, ["does_not_fit", "guessed"]],
    ["the model is smaller than the machine", 2, { deviceMemory: 4 }, undefined, ["fits", "guessed"]],
    ["the machine has 8 GiB or more, and so much is enough", 5, { deviceMemory: 8 }, undefined, ["fits", "guessed"]],
    ["the machine has 8 GiB or more (gpt-oss-20b)", 13, { deviceMemory: 8 }, undefined, ["unknown", null]],
    ["the GPU gives it", 13, { deviceMemory: 8, gpu: gpuWith(24 * GIB) }, undefined, ["fits", "measured"]],
    ["the GPU gives less", 13, { deviceMemory: 8, gpu: gpuWith(8 * GIB) }, undefined, ["does_not_fit", "measured"]],
    ["the GPU gives it where nothing else is told", 2, { gpu: gpuWith(8 * GIB) }, undefined, ["fits", "measured"]],
    [
      "the GPU promises more than there is",
      6,
      { deviceMemory: 4, gpu: gpuWith(24 * GIB) },
      undefined,
      ["unknown", null],
    ],
    [
      "a phone's memory is not a model's",
      6,
      { deviceMemory: 8, userAgent: "Android" },
      undefined,
      ["does_not_fit", "guessed"],
    ],
    ["it holds a small model", 2, { deviceMemory: 8, userAgent: "Android" }, undefined, ["fits", "guessed"]],
    ["an iPhone, of which nothing is known", 2, { userAgent: "iPhone" }, undefined, ["does_not_fit", "guessed"]],
    ["an iPad", 2, { userAgent: "Macintosh", maxTouchPoints: 5 }, undefined, ["does_not_fit", "guessed"]],
    ["a Mac", 2, { userAgent: "Macintosh", maxTouchPoints: 0 }, undefined, ["unknown", null]],
    ["a phone is not asked", 6, { userAgent: "Android", gpu: gpuWith(24 * GIB) }, undefined, ["unknown", null]],
  ])("says on what it rests: %s", async (_, total, navigator, memory, [verdict, evidence]) => {
    vi.stubGlobal("navigator", navigator);
    const quants = { Q8_0: { tensors: 1, parameters: GIB, bytes: Math.max(0, total - 0.5) * GIB } };
    vi.spyOn(Inspector.prototype, "push").mockReturnValue(report(quants));
    const options: FitOptions = { model: new Blob(["GGUF".padEnd(100, "x")]), bandwidth: 1 };
    if (memory !== undefined) options.memory = memory * GIB;
    const fit = await canRun(options);
    expect(fit).toMatchObject({ verdict, evidence });
    if (verdict !== "fits") expect(fit.reasons).toHaveLength(1);
    // Everything allocated is freed again.
    for (const live of made) expect(live.size).toBe(0);
  });

  it("says what a predicted speed rests on", async () => {
    const speed = {
      tokens_per_second: 40,
      at_most: 50,
      launches: 99,
      step: { gaps: 250, latency: 250, work: 24_500 },
      bandwidth: 100e9,
      gap: 2.5,
      gap_measured: true,
      like: "Apple M3",
    };
    const found = report();
    if (found.budget?.device) found.budget.device = { ...found.budget.device, tokens_per_second: 40, speed };
    vi.stubGlobal("navigator", {});
    const push = vi.spyOn(Inspector.prototype, "push").mockReturnValue(found);
    const model = new Blob(["GGUF".padEnd(100, "x")]);
    const fit = await canRun({ model, bandwidth: 100e9, launchGap: 2.5 });
    expect(push).toHaveBeenCalled();
    expect(fit).toMatchObject({ tokens_per_second: 40, speed: { ...speed, evidence: "told" } });
  });
});
