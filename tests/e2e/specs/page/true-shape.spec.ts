/**
 * Pictures on the page through a model of true shape, SmolVLM 256M with random weights: pasted, asked about, and looked at once each.
 * A picture is one tile here, and the CPU looks at it: a software GPU takes minutes a tile. It says what one costs in a browser; what models
 * see is compared with transformers in tiny ones, on WebGPU too.
 */
import { IS_FAKE } from "../../support/env.js";
import { FULL } from "../../support/full.js";
import { looksOnce } from "../../support/looks.js";
import { SKIPS } from "../../support/skips.js";
import { smolvlm256m } from "../../support/smolvlm.js";
import { expect, test } from "../../support/test.js";

const ANSWER_MS = 900_000;

if (FULL) {
  test.describe("SmolVLM 256M, random weights", () => {
    test.skip(IS_FAKE, SKIPS.fake);
    test.describe.configure({ timeout: 3 * ANSWER_MS });
    let files: ReturnType<typeof smolvlm256m>;
    test.beforeAll(() => {
      files = smolvlm256m();
    });
    test.afterAll(() => {
      files.remove();
    });

    for (const browser of ["chromium", "firefox"] as const) {
      test(`two pictures are looked at once each · ${browser}, cpu`, async ({ launch }) => {
        const chat = await launch(browser, { alone: true });
        await chat.open({ device: "cpu", max_tokens: 4, temperature: 0, context: 1024 });
        const start = Date.now();
        await chat.tab.setFile("#file", ...files.paths);
        await chat.waitReady();
        const loaded = (Date.now() - start) / 1000;
        const found = await looksOnce(chat, ANSWER_MS);
        // One tile, 64 rows and three tokens around them.
        expect(found.red.frames).toBe(1);
        expect(found.red.prompt - found.text.prompt).toBeGreaterThanOrEqual(66);
        expect(found.red.answer).not.toBe("");
        // Rows of random weights differ by picture, and so does what follows from them.
        expect(found.blue.answer).not.toBe(found.edited.answer);
        const { heap_bytes } = await chat.stats();
        console.log(JSON.stringify({ browser, loaded, heap_bytes, ...found }));
        expect(chat.tab.errors).toEqual([]);
      });
    }
  });
}
