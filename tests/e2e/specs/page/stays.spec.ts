/** Context that stays: a reopened conversation is not read again, and nothing is left of a deleted one. */
import { Chat } from "../../support/chat.js";
import { keptMessages, titles } from "../../support/conversations.js";
import { HAS_SMOLLM2, IS_FAKE, SMOLLM2, TINY } from "../../support/env.js";
import { oneBrowser } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

const TINY_CPU = { device: "cpu", max_tokens: 8, temperature: 0 };

/** Returns the number of pages that are kept of conversations. */
async function keptPages(chat: Chat): Promise<number> {
  return await chat.tab.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    let pages = 0;
    try {
      const contexts = await root.getDirectoryHandle("hearth-contexts");
      for await (const folder of contexts.values()) {
        if (folder.kind !== "directory") continue;
        for await (const name of folder.keys()) pages += name === "" ? 0 : 1;
      }
    } catch {
      // Nothing was ever kept.
    }
    return pages;
  }, null);
}

for (const browser of oneBrowser("chromium")) {
  test(`a conversation goes on after a reload without being read again · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const chat = await launch(browser);
    await chat.load(TINY, TINY_CPU);
    await chat.ask("What do foxes eat?");
    await expect.poll(() => keptPages(chat), { timeout: 20_000 }).toBeGreaterThan(0);
    await chat.tab.reload();
    await chat.waitReady();
    await chat.tab.click("#conversations li:nth-child(1) .entry-title");
    await chat.tab.waitVisible(".message.assistant", 20_000);
    await chat.ask("And where?");
    const answers = (await keptMessages(chat)).flatMap(({ role, stats }) =>
      role === "assistant" && stats ? [stats] : [],
    );
    expect(answers).toHaveLength(2);
    // The first question was there, but perhaps for the beginning of an answer at its end.
    const first = Math.min(...answers.map(({ prompt }) => prompt));
    expect(Math.max(...answers.map(({ cached }) => cached))).toBeGreaterThan(first - 4);

    await chat.tab.click('#conversations .icon-button[aria-label^="Delete"]');
    await expect.poll(() => titles(chat)).toEqual([]);
    await expect.poll(() => keptPages(chat), { timeout: 20_000 }).toBe(0);
  });
}

/** Long enough for a draft of it to be kept before its end. */
const LONG_CPU = { device: "cpu", max_tokens: 400, temperature: 0 };
const QUESTION = "Tell me what a hearth is, and what it was used for.";

/** Returns the number of answers that have words, and run. */
const running = async (chat: Chat): Promise<number> =>
  (await keptMessages(chat)).filter(({ end, content }) => end === "running" && content !== "").length;

/** Waits until a draft of an answer is kept; it looks often, since the answer is not to end before. */
const waitDraft = (chat: Chat): Promise<void> =>
  expect.poll(() => running(chat), { timeout: 60_000, intervals: [50] }).toBe(1);

for (const browser of oneBrowser("chromium")) {
  test(`an answer goes on after a reload with the words that it would have had · ${browser}`, async ({ launch }) => {
    test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
    const chat = await launch(browser);
    await chat.load(SMOLLM2, LONG_CPU);
    const whole = await chat.ask(QUESTION);
    await chat.tab.click("#new-chat");
    await chat.send(QUESTION);
    await waitDraft(chat);
    await chat.tab.reload();
    await chat.waitReady();
    expect(await chat.waitAnswer()).toBe(whole);
    expect(await running(chat)).toBe(0);
  });

  test(`tabs share the model, and one that shows an answer ends it when its tab goes · ${browser}`, async ({
    launch,
  }) => {
    test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
    const chat = await launch(browser);
    const other = new Chat(await chat.tab.another());
    // The tab that is closed has the model and the answer.
    await other.load(SMOLLM2, LONG_CPU);
    const whole = await other.ask(QUESTION);
    await chat.load(SMOLLM2, LONG_CPU);
    await chat.tab.waitVisible("#device .elsewhere", 20_000);
    await other.tab.click("#new-chat");
    await other.send(QUESTION);
    await waitDraft(chat);
    await chat.tab.click("#conversations li:nth-child(1) .entry-title");
    await chat.tab.waitVisible(".message.assistant", 20_000);
    await other.tab.close();
    expect(await chat.waitAnswer()).toBe(whole);
    await expect.poll(() => chat.count("#device .elsewhere"), { timeout: 20_000 }).toBe(0);
  });
}
