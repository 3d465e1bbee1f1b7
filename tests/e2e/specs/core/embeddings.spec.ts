/** Tiny embedding models give the reference's embeddings in both browsers, through `engine.embeddings`. */
import { readFileSync } from "node:fs";
import type { PageGlobals } from "../../support/chat.js";
import { IS_FAKE, readGolden } from "../../support/env.js";
import { inFull } from "../../support/full.js";
import { floatsFile, goldensOf, modelAddress } from "../../support/manifest.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

interface Golden {
  cases: { text: string; ids: number[] }[];
  max_length: number;
}

const SETUPS = [
  // A measurement might choose 15-bit integers.
  { browser: "chromium", params: { arithmetic: "f32" } },
  ...inFull({ browser: "firefox", params: { arithmetic: "f32" } } as const),
  { browser: "chromium", params: { device: "cpu" } },
] as const;

for (const { browser, params } of SETUPS) {
  test(`embeddings · ${browser} ${JSON.stringify(params)}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const chat = await launch(browser);
    for (const golden of goldensOf("embedding")) {
      const { cases, max_length } = readGolden(golden.expected) as Golden;
      await chat.load(modelAddress(golden), { context: max_length, ...params });
      const input = cases.map(({ text }) => text);
      const { data, usage } = await chat.tab.evaluate(async (texts) => {
        const { engine } = (globalThis as unknown as PageGlobals).hearth;
        if (engine === undefined) throw new Error("the page has no engine");
        return await engine.embeddings.create({ input: texts, truncate: true });
      }, input);
      expect(usage.total_tokens).toBe(cases.reduce((sum, { ids }) => sum + ids.length, 0));
      const bytes = readFileSync(floatsFile(golden, "embeddings"));
      const found = data.flatMap(({ embedding }) => embedding as number[]);
      expect(found.length * 4).toBe(bytes.length);
      const worst = Math.max(...found.map((value, i) => Math.abs(value - bytes.readFloatLE(4 * i))));
      // The CPU's activations have 16 bits.
      expect(worst, golden.name).toBeLessThan("device" in params ? 1e-3 : 1e-5);
    }
  });
}
