/**
 * Tiny embedding models give the reference's embeddings: on the CPU through `engine.embeddings`, and on GPUs through the
 * core, where they share a device.
 */
import { readFileSync } from "node:fs";
import type { PageGlobals } from "../../support/chat.js";
import { expectWithin, worstError } from "../../support/compare.js";
import { IS_FAKE, readGolden } from "../../support/env.js";
import { inFull } from "../../support/full.js";
import { floatsFile, goldensOf, modelAddress, type GoldenEntry } from "../../support/manifest.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";
import { PLAIN_GPU } from "../../support/tuning.js";

interface Golden {
  cases: { text: string; ids: number[] }[];
  max_length: number;
}

/** Compares embeddings, one after the other, and their number of tokens with those of a golden. */
function expectEmbeddings(golden: GoldenEntry, found: number[], tokens: number, tolerance: number): void {
  const { cases } = readGolden(golden.expected) as Golden;
  expect(tokens).toBe(cases.reduce((sum, { ids }) => sum + ids.length, 0));
  const bytes = readFileSync(floatsFile(golden, "embeddings"));
  const expected = found.map((_, i) => bytes.readFloatLE(4 * i));
  expect(found.length * 4).toBe(bytes.length);
  expectWithin(golden.name, worstError(golden.name, found, expected), tolerance);
}

test("embeddings · chromium, CPU", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const chat = await launch("chromium");
  for (const golden of goldensOf("embedding")) {
    const { cases, max_length } = readGolden(golden.expected) as Golden;
    await chat.load(modelAddress(golden), { context: max_length, device: "cpu" });
    const input = cases.map(({ text }) => text);
    const { data, usage } = await chat.tab.evaluate(async (texts) => {
      const { engine } = (globalThis as unknown as PageGlobals).hearth;
      if (engine === undefined) throw new Error("the page has no engine");
      return await engine.embeddings.create({ input: texts, truncate: true });
    }, input);
    const found = data.flatMap(({ embedding }) => embedding as number[]);
    // The CPU's activations have 16 bits.
    expectEmbeddings(golden, found, usage.total_tokens, 1.5e-4);
  }
});

for (const browser of ["chromium", ...inFull("firefox" as const)] as const) {
  test(`embeddings · ${browser}, WebGPU`, async ({ coreOn }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const core = await coreOn(browser, { kind: "webgpu", tuning: PLAIN_GPU });
    for (const golden of goldensOf("embedding")) {
      const { cases, max_length } = readGolden(golden.expected) as Golden;
      await core.load(modelAddress(golden), max_length);
      const all = await core.embed(cases.map(({ text }) => text));
      const tokens = all.reduce((sum, { tokens }) => sum + tokens, 0);
      expectEmbeddings(
        golden,
        all.flatMap(({ values }) => values),
        tokens,
        1e-5,
      );
    }
  });
}
