/** The models that are offered on a first visit. */
import { describe, expect, it } from "vitest";
import { CATALOG, DEFAULT_MODEL, type CatalogEntry } from "../src/models/catalog.js";
import type { ModelReport } from "../../pkg/src/core/wasm-contract.js";
import { judge } from "../../pkg/src/fit/fit.js";
import { parseHubId } from "../../pkg/src/source/paste.js";
import { wouldSee } from "../../pkg/src/pictures/sight.js";
import { needsOf, offersFor, speaks, speedOf, type Device } from "../src/models/recommend.js";

const GB = 1e9;

function entry(id: string, bytes: number, languages: CatalogEntry["languages"] = "many"): CatalogEntry {
  const needs = { token: 100_000, work: 50e6 };
  return {
    id,
    name: id,
    source: id,
    bytes,
    needs,
    licence: "",
    licenceUrl: "",
    sampling: {},
    languages,
    about: "small",
  };
}

const LIST = [
  entry("a", 0.1 * GB, ["en"]),
  entry("b", 0.6 * GB),
  entry("c", 1 * GB),
  entry("d", 3 * GB),
  entry("e", 8 * GB),
];

function ids(device: Partial<Device>, language = "en", list: readonly CatalogEntry[] = LIST): (string | undefined)[] {
  const found = offersFor(list, { memory: null, bandwidth: undefined, ...device }, language);
  return [found?.now.id, found?.recommended?.id, found?.best?.id];
}

describe("the offers", () => {
  it("are the first to try, the strongest that fits and is fluent, and the strongest that runs", () => {
    expect(ids({ memory: 12 * GB, bandwidth: 100 * GB })).toEqual(["a", "d", "e"]);
    // There is no room for the last, and then none for the fourth.
    expect(ids({ memory: 4 * GB, bandwidth: 100 * GB })).toEqual(["a", "d", undefined]);
    expect(ids({ memory: 3.3 * GB, bandwidth: 100 * GB })).toEqual(["a", "c", undefined]);
    // 60 GB/s reach 12 tokens per second with the third: below what is fluent, above what is readable.
    expect(ids({ memory: 64 * GB, bandwidth: 60 * GB })).toEqual(["a", "c", "d"]);
    expect(ids({ memory: 64 * GB, bandwidth: 1000 * GB })).toEqual(["a", "e", undefined]);
  });

  it("fit where canRun would say so, with the context that the engine chooses there", () => {
    const [, , c] = LIST;
    if (c === undefined) throw new Error("no entry");
    // 1.05 GB of weights, and at most half as much for a context, and half of what is free.
    for (const [memory, context, verdict] of [
      [3e9, 4096, "fits"],
      [1.88e9, 4096, "fits"],
      [1.85e9, 2048, "fits"],
      [1.305e9, 2048, "fits"],
      [1.304e9, 2048, "smaller"],
      [1.16e9, 2048, "smaller"],
      [1.1e9, 2048, "does_not_fit"],
    ] as const) {
      const [weights, kv] = [1.05e9, context * 100_000];
      expect(needsOf(c, memory)).toBeCloseTo(weights + kv + 50e6);
      const needed = { weights, kv, kv_binding: 0, state: 0, scratch: 50e6, vision: 0, total: weights + kv + 50e6 };
      const report = { quants: {}, budget: { memory: needed, n_ctx: context } } as unknown as ModelReport;
      expect(judge(report, { memory, binding: null, storage: null }).verdict).toBe(verdict);
      const [, recommended] = ids({ memory, bandwidth: 100 * GB }, "en", [entry("a", 0), c]);
      expect(recommended).toBe(verdict === "fits" ? "c" : undefined);
    }
  });

  it("are modest where the device tells nothing", () => {
    expect(ids({})).toEqual(["a", "c", undefined]);
    expect(ids({ bandwidth: 10 * GB })).toEqual(["a", undefined, undefined]);
    // Without a bandwidth nothing large is offered, however much memory there is.
    expect(ids({ memory: 64 * GB })).toEqual(["a", "c", undefined]);
  });

  it("speak the visitor's language, if any model does", () => {
    expect(ids({}, "zh")).toEqual(["b", "c", undefined]);
    expect(ids({}, "zh", LIST.slice(0, 1))).toEqual(["a", undefined, undefined]);
    expect(ids({}, "en", [])).toEqual([undefined, undefined, undefined]);
  });

  it("say a speed only where the bandwidth is known", () => {
    const [one] = LIST;
    if (one === undefined) throw new Error("no entry");
    expect(speedOf(one, { memory: null, bandwidth: 10 * GB })).toBeCloseTo(60);
    expect(speedOf(one, { memory: null, bandwidth: undefined })).toBeUndefined();
  });
});

describe("the catalogue", () => {
  it("goes from small to large, each model once, the one to try at once first", () => {
    expect(CATALOG[0]?.source).toBe(DEFAULT_MODEL);
    expect(new Set(CATALOG.map(({ id }) => id)).size).toBe(CATALOG.length);
    expect(CATALOG.every((one) => speaks(one, "en"))).toBe(true);
  });

  it("has a model that looks at pictures, found by its repository's name", () => {
    const seeing = CATALOG.filter(({ about }) => about === "sees");
    expect(seeing.length).toBeGreaterThan(0);
    for (const { name, source } of seeing) {
      expect(wouldSee({ architecture: "llama", name, n_layers: 32 })).toBe(true);
      expect(parseHubId(source)).toBeDefined();
    }
  });

  it("has something for a Chinese visitor that is not English only", () => {
    const offers = offersFor(CATALOG, { memory: null, bandwidth: undefined }, "zh");
    expect(offers?.now.id).toBe("qwen3.5-0.8b");
    expect(offers?.recommended?.id).toBe("qwen3-1.7b");
  });
});
