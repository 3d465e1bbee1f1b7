import { describe, expect, it } from "vitest";
import { judge, type Fit } from "../src/fit.js";
import type { ModelReport } from "../src/wasm-contract.js";

const GIB = 2 ** 30;
const NONE: Fit["has"] = { memory: null, binding: null, storage: null };

/** A model of a billion parameters: 2 GiB in F16, a KV cache of 0.5 GiB for 4096 positions. */
function report(quants: ModelReport["quants"] = { F16: { tensors: 1, parameters: GIB, bytes: 2 * GIB } }): ModelReport {
  const bytes = Object.values(quants).reduce((sum, quant) => sum + quant.bytes, 0);
  const memory = { weights: bytes, kv: GIB / 2, scratch: 0, total: bytes + GIB / 2 };
  return {
    format: "gguf",
    architecture: "llama",
    name: "one",
    license: null,
    parameters: GIB,
    quants,
    tensor_bytes: bytes,
    n_ctx_train: 8192,
    budget: {
      config: { n_layers: 16 } as NonNullable<ModelReport["budget"]>["config"],
      n_ctx: 4096,
      memory,
      token: { flops: 2 * GIB, bytes },
      device: { fits: true, reason: null, tokens_per_second: 50 },
    },
  };
}

describe("judge", () => {
  it("says that a model fits where nothing speaks against it", () => {
    expect(judge(report(), NONE)).toMatchObject({
      verdict: "fits",
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

  it("finds the context whose cache can be bound", () => {
    // A layer's keys take 16 MiB.
    const fit = judge(report(), { ...NONE, binding: 4 * 2 ** 20 });
    expect(fit).toMatchObject({ verdict: "smaller", changes: { contextSize: 1024 } });
  });

  it("finds the quantisation that fits", () => {
    // 9/16 of 2 GiB, and the rest for the cache.
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
    expect(judge(report(), { ...NONE, storage: GIB })).toMatchObject({ verdict: "fits", uncached: true });
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
