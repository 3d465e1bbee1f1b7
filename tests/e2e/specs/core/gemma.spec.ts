/**
 * Gemma 3 270M in Q4_K_M, the real file: a base model with K-quants, SentencePiece and sliding layers, on the CPU. Full
 * runs only.
 */
import { BASE_URL, GEMMA270, IS_FAKE, readGolden } from "../../support/env.js";
import { inFull } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";
import type { Engine } from "hearth-llm";

interface Golden {
  prompts: { text: string; greedy_text: string }[];
}

for (const browser of inFull("chromium" as const, "firefox" as const)) {
  test(`Gemma 3 270M goes on as the reference does · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const { ok } = await fetch(new URL(GEMMA270, BASE_URL), { method: "HEAD" });
    test.skip(!ok, SKIPS["Gemma 3 270M"]);
    const chat = await launch(browser);
    await chat.load(GEMMA270, { device: "cpu", context: "512" });
    const { prompts } = readGolden("real/gemma270.json") as Golden;
    for (const { text, greedy_text } of prompts.slice(0, 2)) {
      const found = await chat.tab.evaluate(async (prompt) => {
        const { engine } = (globalThis as unknown as { hearth: { engine: Engine } }).hearth;
        const { choices } = await engine.completions.create({ prompt, temperature: 0, max_tokens: 24 });
        return choices[0]?.text ?? "";
      }, text);
      expect(found.length).toBeGreaterThan(20);
      expect(greedy_text.startsWith(found), `${text} | ${found}`).toBe(true);
    }
  });
}
