/** Context that stays: a reopened conversation is not read again, and nothing is left of a deleted one. */
import type { Chat } from "../../support/chat.js";
import { keptMessages, titles } from "../../support/conversations.js";
import { IS_FAKE, TINY } from "../../support/env.js";
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
