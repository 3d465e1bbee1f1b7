/**
 * The real model through the page: a streamed answer, a stop, a reload, and a conversation with the same text as
 * natively.
 */
import type { Chat } from "../../support/chat.js";
import type { Engine } from "hearth-llm";
import { HAS_SMOLLM2, IS_FAKE, readGolden, screenshotFile, SMOLLM2 } from "../../support/env.js";
import { oneBrowser } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

interface Conversation {
  max_tokens: number;
  turns: { user: string; assistant: string }[];
}

/** Golden written by tests/goldens/generator/gold_smollm2.py with transformers, from the same GGUF. */
const GOLDEN = "real/smollm2_conversation.json";
const WAIT = { timeout: 60_000 };
/** The file alone has 98 MB, the KV cache 94. */
const HEAP_LIMIT = 64 << 20;

test.describe("SmolLM2", () => {
  test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
  test.describe.configure({ timeout: 900_000 });

  for (const browser of oneBrowser("firefox")) {
    test(`answers in the page, can be stopped and reloaded · ${browser}`, async ({ launch }) => {
      const chat = await launch(browser);
      await chat.open({ temperature: 0, seed: 1, max_tokens: 48 });
      await chat.waitOffers();
      await chat.tab.click("#start-now");
      await chat.tab.waitVisible("#loading[data-phase]", 60_000);
      await chat.waitReady();
      expect(await chat.text("#device-label")).toContain("WebGPU");
      const heap = await chat.tab.evaluate(
        async () => (await (window as unknown as { hearth: { engine: Engine } }).hearth.engine.stats()).heap_bytes,
        null,
      );
      // The weights are on the GPU; the wasm heap never held them.
      expect(heap).toBeLessThan(HEAP_LIMIT);
      // The only possible notice is that a graphics card is emulated.
      expect(await chat.isVisible("#banner")).toBe((await chat.device()).software);

      const answer = await chat.ask("Name three colours of the rainbow.");
      expect(answer.length).toBeGreaterThan(5);
      expect(await chat.text(".message.assistant:last-child .foot")).toMatch(/tok\/s · first token after/);
      await chat.tab.screenshot(screenshotFile(`smollm2-${browser}`));

      await chat.send("Tell me a long story about a fireplace.");
      await chat.waitStreaming();
      await chat.tab.press("Escape");
      const partial = await chat.waitAnswer();
      expect(partial).not.toBe("");
      expect(await chat.text(".message.assistant:last-child .foot")).toContain("stopped");
      expect((await chat.ask("Say hello.")).length).toBeGreaterThan(0);

      await chat.tab.reload();
      // The model is on this device by now, so it starts by itself, with an empty conversation.
      await chat.waitReady();
      expect(await chat.count(".message")).toBe(0);
      expect(await chat.ask("Name three colours of the rainbow.")).toBe(answer);
    });
  }

  for (const browser of oneBrowser("firefox")) {
    test(`holds a conversation of three turns whose greedy text is the native one · ${browser}`, async ({
      launch,
    }, info) => {
      const golden = readGolden(GOLDEN) as Conversation;
      const chat = await launch(browser);
      await chat.load(SMOLLM2, { temperature: 0, max_tokens: golden.max_tokens });
      const turns: Conversation["turns"] = [];
      for (const { user } of golden.turns) {
        await chat.ask(user);
        turns.push({ user, assistant: await lastAnswerSource(chat) });
      }
      await info.attach("conversation", { body: JSON.stringify(turns, null, 1), contentType: "application/json" });
      await chat.tab.screenshot(screenshotFile(`conversation-${browser}`));
      expect(await chat.count(".message")).toBe(turns.length * 2);
      if (!IS_FAKE) expect(turns).toEqual(golden.turns);
    });
  }

  test("goes on with an answer that was cut off, as if it had not been", async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const chat = await launch("chromium");
    await chat.load(SMOLLM2, { device: "cpu", temperature: 0, max_tokens: 12 });
    await chat.ask("Tell me about the sea.");
    const first = await lastAnswerSource(chat);
    expect(await chat.text(".message.assistant:last-child .foot")).toContain("reached the length limit");
    await chat.tab.click('.message.assistant .icon-button[aria-label="Continue"]');
    // The source is set only while no answer is running; until the answer resumes, it is the first part.
    await expect.poll(async () => (await lastAnswerSource(chat)).length, WAIT).toBeGreaterThan(first.length);
    await chat.waitAnswer();
    const both = await lastAnswerSource(chat);
    expect(both.startsWith(first)).toBe(true);
    const whole = await chat.tab.evaluate(async () => {
      const { engine } = (globalThis as unknown as { hearth: { engine: Engine } }).hearth;
      const { choices } = await engine.chat.completions.create({
        messages: [{ role: "user", content: "Tell me about the sea." }],
        temperature: 0,
        max_tokens: 24,
      });
      return choices[0]?.message.content ?? "";
    }, null);
    expect(both).toBe(whole);
    expect(await chat.count(".message")).toBe(2);
  });
});

/** Returns the answer's Markdown source, which the page keeps alongside the rendered text. */
function lastAnswerSource(chat: Chat): Promise<string> {
  return chat.tab.evaluate(() => {
    const answers = document.querySelectorAll<HTMLElement>(".message.assistant");
    return answers[answers.length - 1]?.dataset.source ?? "";
  }, null);
}
