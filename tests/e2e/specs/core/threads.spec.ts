/** The CPU path on several threads: available where memory can be shared, with the same ids as one thread. */
import type { ChatCompletionMessageParam } from "hearth-llm";
import { HAS_SMOLLM2, IS_FAKE, ISOLATED_URL, readGolden, SMOLLM2, TINY } from "../../support/env.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test, type BrowserName } from "../../support/test.js";

interface Golden {
  prompts: { messages?: ChatCompletionMessageParam[]; greedy_ids: number[]; greedy_eos_at?: number | null }[];
}

interface Conversation {
  max_tokens: number;
  turns: { user: string; assistant: string }[];
}

const BROWSERS: BrowserName[] = ["chromium", "firefox"];
/** Weights are in the threads' memory, not in the core's. */
const HEAP_LIMIT = 160 << 20;

test.describe("threads", () => {
  test.skip(IS_FAKE, SKIPS.fake);
  test.skip(ISOLATED_URL === undefined, SKIPS.isolated);

  for (const browser of BROWSERS) {
    for (const threads of [2, 3]) {
      test(`tiny model: greedy ids on ${String(threads)} threads · ${browser}`, async ({ launch }) => {
        const chat = await launch(browser);
        await chat.load(TINY, { device: "cpu", threads }, ISOLATED_URL);
        expect((await chat.device()).threads).toBe(threads);
        const golden = readGolden("tiny/tiny_llama.json") as Golden;
        for (const { messages, greedy_ids, greedy_eos_at } of golden.prompts) {
          if (messages === undefined) continue;
          const expected = greedy_ids.slice(0, greedy_eos_at ?? undefined);
          expect((await chat.greedyIds(messages, greedy_ids.length)).slice(0, expected.length)).toEqual(expected);
        }
      });
    }

    test(`SmolLM2 answers on two threads as transformers does · ${browser}`, async ({ launch }) => {
      test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
      const golden = readGolden("real/smollm2_conversation.json") as Conversation;
      const chat = await launch(browser);
      const params = { device: "cpu", threads: 2, temperature: 0, max_tokens: golden.max_tokens };
      await chat.load(SMOLLM2, params, ISOLATED_URL);
      for (const { user, assistant } of golden.turns) expect(await chat.ask(user)).toBe(assistant);
      expect((await chat.stats()).heap_bytes).toBeLessThan(HEAP_LIMIT);
    });
  }
});

test("more threads than there can be are refused", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const chat = await launch("chromium");
  for (const threads of [2, 0.5, 1000]) {
    await chat.open({ model: TINY, device: "cpu", threads });
    const error = await chat.waitError(20_000);
    expect(error.code).toBe("invalid_request");
    expect(error.message).toContain("threads");
  }
});

test("without isolation there is one thread, and the model runs", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.load(TINY, { device: "cpu", max_tokens: 4 });
  expect((await chat.device()).threads).toBe(1);
  await chat.ask("Hi, 42!");
});
