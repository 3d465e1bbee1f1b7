/**
 * Guards against the linker trap: when wasm-ld wraps every export in a call of all constructors, they run again at each
 * call, 2 ms each time. The test counts the runs of a constructor of ours. See ARCHITECTURE.md.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { BASE_URL, HAS_SMOLLM2, IS_FAKE, root, SMOLLM2 } from "../../support/env.js";
import { oneBrowser } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

test("static constructors run once, however many exports are called", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const chat = await launch("chromium");
  await chat.open();
  const runs = await chat.tab.evaluate(async (url) => {
    const core = (await import(url)) as { default(): Promise<unknown>; version(): string; constructorRuns(): number };
    await core.default();
    for (let call = 0; call < 100; call++) core.version();
    return core.constructorRuns();
  }, `${BASE_URL}pkg/dist/wasm/hearth.js`);
  expect(runs).toBe(1);
});

test("the runtime's kernel compiler is not linked", () => {
  // 13.6 MB with it and 7.2 without, before wasm-opt and with names (docs/decisions/047).
  expect(statSync(join(root, "pkg/dist/wasm/hearth_bg.wasm")).size).toBeLessThan(10_000_000);
});

test("the benchmarks import what was built", () => {
  for (const name of ["worker.js", "peers.js"]) {
    const text = readFileSync(join(root, "tests/e2e/bench", name), "utf8");
    const files = [...text.matchAll(/"\/(pkg\/[^"]+)"/g)].map(([, file = ""]) => file);
    expect(files).not.toEqual([]);
    for (const file of files) expect(existsSync(join(root, file)), file).toBe(true);
  }
});

test("a model is inspected by the beginning of its file", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
  const chat = await launch("firefox");
  await chat.open();
  const report = await chat.tab.evaluate(
    async ({ url, model }) => {
      const { inspectModel } = (await import(url)) as typeof import("hearth-llm");
      return await inspectModel({ model, contextSize: 1000, bandwidth: 1e9 });
    },
    { url: `${BASE_URL}pkg/dist/index.js`, model: SMOLLM2 },
  );
  expect(report).toMatchObject({
    architecture: "llama",
    license: "apache-2.0",
    parameters: 134_515_008,
    n_ctx_train: 8192,
  });
  expect(report.quants).toMatchObject({ Q4_1: { tensors: 210 }, Q8_0: { tensors: 1 }, F32: { tensors: 61 } });
  const { budget } = report;
  expect(budget?.n_ctx).toBe(1000);
  // 30 layers, 3 heads of 64, keys and values, two bytes each.
  expect(budget?.memory.kv).toBe(30 * 3 * 64 * 2 * 2 * 1000);
  const speed = budget?.device?.speed;
  expect(speed?.at_most).toBeCloseTo(1e9 / (budget?.token.bytes ?? 0), 6);
  expect(speed?.tokens_per_second).toBeLessThan(speed?.at_most ?? 0);
  expect(budget?.device?.tokens_per_second).toBe(speed?.tokens_per_second);
  expect(speed).toMatchObject({ bandwidth: 1e9, gap_measured: false });
});

for (const browser of oneBrowser("chromium")) {
  test(`a model is weighed against the device before it is fetched · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
    const chat = await launch(browser);
    await chat.open();
    const [fits, small] = await chat.tab.evaluate(
      async ({ url, model }) => {
        const { canRun } = (await import(url)) as typeof import("hearth-llm");
        const fits = await canRun({ model, contextSize: 1024 });
        return [fits, await canRun({ model, contextSize: 8192, memory: 200 * 2 ** 20, probe: false })] as const;
      },
      { url: `${BASE_URL}pkg/dist/index.js`, model: SMOLLM2 },
    );
    expect(fits).toMatchObject({ verdict: "fits", changes: {}, reasons: [], uncached: false });
    expect(fits.needs.total).toBeGreaterThan(fits.needs.weights);
    expect(fits.has.binding).toBeGreaterThanOrEqual(128 * 2 ** 20);
    expect(fits.tokens_per_second).toBeGreaterThan(0);
    expect(fits.speed).toMatchObject({ evidence: "measured", tokens_per_second: fits.tokens_per_second });
    expect(small.verdict).toBe("smaller");
    expect(small.changes.contextSize).toBeGreaterThan(1000);
    expect(small.changes.contextSize).toBeLessThan(8192);
    expect(small.tokens_per_second).toBeNull();
  });
}
