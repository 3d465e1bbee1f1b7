/** Conversations: kept, found, renamed, branched, exported and imported. */
import { readFileSync, writeFileSync } from "node:fs";
import { conversationFile, importConversation, keptDrafts, keptMessages, titles } from "../../support/conversations.js";
import { IS_FAKE, REAL_OR_TINY, TINY } from "../../support/env.js";
import { oneBrowser } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

const TINY_CPU = { device: "cpu", max_tokens: 8, temperature: 0 };

for (const browser of oneBrowser("firefox")) {
  test(`are kept, renamed, found and deleted · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.load(TINY, TINY_CPU);
    const answer = await chat.ask("What do foxes eat?");
    await chat.tab.click("#new-chat");
    await chat.ask("Where do owls sleep?");
    expect(await titles(chat)).toEqual(["Where do owls sleep?", "What do foxes eat?"]);

    await chat.tab.fill("#prompt", "And whe");
    await expect.poll(() => keptDrafts(chat)).toEqual(["And whe"]);
    await chat.tab.reload();
    await chat.waitReady();
    await expect.poll(() => titles(chat)).toEqual(["Where do owls sleep?", "What do foxes eat?"]);
    const draft = (): Promise<string> =>
      chat.tab.evaluate(() => document.querySelector<HTMLTextAreaElement>("#prompt")?.value ?? "", null);
    expect(await draft()).toBe("");
    await chat.tab.click("#conversations li:nth-child(1) .entry-title");
    await expect.poll(draft).toBe("And whe");
    await chat.tab.click("#conversations li:nth-child(2) .entry-title");
    await expect.poll(() => chat.text(".message.user .bubble")).toBe("What do foxes eat?");
    expect(await chat.answer()).toBe(answer);

    await chat.tab.click('#conversations li:nth-child(2) .icon-button[aria-label^="Rename"]');
    await chat.tab.fill(".title-field", "About foxes");
    await chat.tab.press("Enter");
    await expect.poll(() => titles(chat)).toContain("About foxes");

    await chat.tab.fill("#search", "owls");
    await expect.poll(() => titles(chat)).toEqual(["Where do owls sleep?"]);
    await chat.tab.fill("#search", "FOXES");
    await expect.poll(() => titles(chat)).toEqual(["About foxes"]);

    await chat.tab.click('#conversations .icon-button[aria-label^="Delete"]');
    await chat.tab.click("#toast button");
    await expect.poll(() => titles(chat)).toEqual(["About foxes"]);
    await chat.tab.click('#conversations .icon-button[aria-label^="Delete"]');
    await expect.poll(() => titles(chat)).toEqual([]);
    await chat.tab.fill("#search", "");
    await expect.poll(() => titles(chat)).toEqual(["Where do owls sleep?"]);
    const roles = async (): Promise<string[]> => (await keptMessages(chat)).map(({ role }) => role).sort();
    await expect.poll(roles).toEqual(["assistant", "user"]);
  });
}

for (const browser of oneBrowser("chromium")) {
  test(`editing and answering again make branches, and use the prefix · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const chat = await launch(browser);
    await chat.load(REAL_OR_TINY, TINY_CPU);
    const first = await chat.ask("Hi, 42!");
    await chat.ask("And 43?");
    await chat.tab.click('.message.user:nth-last-child(2) .icon-button[aria-label="Edit message"]');
    await chat.tab.fill("textarea.edit", "And 44?");
    await chat.tab.press("Enter");
    await chat.tab.waitVisible(".message.user:nth-last-child(2) .branches", 30_000);
    await chat.waitAnswer();
    expect(await chat.text(".message.user:nth-last-child(2) .bubble")).toBe("And 44?");
    expect(await chat.text(".message.user:nth-last-child(2) .branches")).toBe("2/2");
    const edited = (await keptMessages(chat)).filter(({ role }) => role === "assistant").at(-1);
    // The tokens of the system prompt and of the first turn were cached.
    const answers = (await keptMessages(chat)).filter(({ role, stats }) => role === "assistant" && stats !== null);
    expect(answers).toHaveLength(3);
    expect(edited).toBeDefined();
    const most = Math.max(...answers.map(({ stats }) => stats?.cached ?? 0));
    expect(most).toBeGreaterThan(10);

    await chat.tab.click('.message.user:nth-last-child(2) .icon-button[aria-label="Previous version"]');
    await expect.poll(() => chat.text(".message.user:nth-last-child(2) .bubble")).toBe("And 43?");

    await chat.tab.click('.message.assistant:nth-child(2) .icon-button[aria-label="Answer again"]');
    await chat.tab.waitVisible(".message.assistant:nth-child(2) .branches", 30_000);
    await chat.waitAnswer();
    expect(await chat.text(".message.assistant:nth-child(2) .branches")).toBe("2/2");
    // Greedy, so the answer is the same; its prompt was in the cache except for the last token.
    expect(await chat.answer()).toBe(first);
    const again = (await keptMessages(chat)).filter(({ stats }) => stats !== null && stats.prompt - stats.cached <= 1);
    expect(again.length).toBeGreaterThan(0);
    // The branch with four messages is one version back.
    await chat.tab.click('.message.assistant:nth-child(2) .icon-button[aria-label="Previous version"]');
    await expect.poll(() => chat.count(".message")).toBe(4);
  });
}

for (const browser of oneBrowser("firefox")) {
  test(`go out as a file and come in again · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.open();
    const turns = [
      { user: "Was ist 2+2?\n\n## Und 3+3?", assistant: "**4** und 6", reasoning: "Hm.\n<!-- hearth:user -->" },
      { user: "谢谢", assistant: "不客气 🙂" },
    ];
    await importConversation(chat, "Rechnen", turns);
    const save = async (button: string): Promise<string> => {
      await chat.tab.evaluate(() => {
        const make = URL.createObjectURL.bind(URL);
        URL.createObjectURL = (blob) => {
          void (blob as Blob).text().then((text) => Object.assign(globalThis, { saved: text }));
          return make(blob);
        };
      }, null);
      await chat.tab.click(".transfers:not([open]) summary, .transfers[open]");
      await chat.tab.click(button);
      await expect.poll(() => chat.tab.evaluate(() => (globalThis as { saved?: string }).saved, null)).toBeDefined();
      return await chat.tab.evaluate(() => {
        const { saved = "" } = globalThis as { saved?: string };
        Object.assign(globalThis, { saved: undefined });
        return saved;
      }, null);
    };
    for (const [button, name] of [
      ["#export-json", "out.json"],
      ["#export-markdown", "out.md"],
    ] as const) {
      const path = conversationFile(name, []);
      writeFileSync(path, await save(button));
      expect(readFileSync(path, "utf8")).toContain("谢谢");
      const before = await titles(chat);
      await chat.tab.setFile("#import", path);
      await expect.poll(async () => (await titles(chat)).length).toBeGreaterThan(before.length);
      await expect.poll(() => chat.count(".message")).toBe(4);
      expect(await chat.text(".message.user .bubble")).toBe(turns[0]?.user);
      expect(await chat.answer()).toBe("不客气 🙂");
      expect(await chat.tab.evaluate(() => document.querySelector(".reasoning p")?.textContent, null)).toBe(
        turns[0]?.reasoning,
      );
    }
  });
}

test("a file that holds no conversations is refused, and nothing is lost", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.open();
  await importConversation(chat, "One", [{ user: "a", assistant: "b" }]);
  const texts = [
    '{"format":"other"}',
    "no marks at all",
    '{"format":"hearth-conversations","version":1,"conversations":[{}]}',
    '{"format":"hearth-conv',
  ];
  for (const [i, text] of texts.entries()) {
    const path = conversationFile(`bad ${String(i)}`, []);
    writeFileSync(path, text);
    await chat.tab.setFile("#import", path);
    await expect
      .poll(() => chat.text('#sidebar [role="status"]'))
      .toContain(`bad-${String(i)}.json is not a Hearth export`);
  }
  expect(await titles(chat)).toEqual(["One"]);
  expect(chat.tab.errors).toEqual([]);
});

for (const browser of oneBrowser("chromium")) {
  test(`ten thousand messages are a conversation like any other · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.open();
    const turns = Array.from({ length: 5000 }, (_, i) => ({
      user: `Question ${String(i)}`,
      assistant: `Answer **${String(i)}**\n\n- one\n- two\n\n\`\`\`js\nconst x = ${String(i)};\n\`\`\``,
    }));
    await importConversation(chat, "Long", turns);
    await chat.tab.waitVisible(".message:last-child .answer strong", 30_000);
    // Uses textContent rather than inner text: content out of view is not laid out.
    const newest = (): Promise<string> =>
      chat.tab.evaluate(() => document.querySelector(".message:last-child .answer strong")?.textContent ?? "", null);
    expect(await newest()).toBe("4999");
    // The document holds a window of the messages, which moves with the reader, up and down again.
    expect(await chat.count(".message")).toBe(40);
    expect(await chat.text(".earlier")).toBe("9960 earlier messages");
    const scrolled = async (to: number): Promise<void> => {
      await chat.tab.evaluate((top) => {
        document.documentElement.scrollTop = top;
      }, to);
    };
    for (const earlier of [9920, 9880, 9840, 9800, 9760]) {
      await scrolled(0);
      await expect.poll(() => chat.text(".earlier")).toBe(`${String(earlier)} earlier messages`);
    }
    expect(await chat.count(".message")).toBe(120);
    expect(await newest()).toBe("4939");
    await scrolled(1e9);
    await expect.poll(newest).toBe("4959");
    await chat.tab.click(".to-end");
    await expect.poll(newest).toBe("4999");
    expect(await chat.count(".message")).toBe(40);
    await chat.tab.fill("#search", "Question 77");
    await expect.poll(() => titles(chat)).toEqual(["Long"]);
    expect(chat.tab.errors).toEqual([]);
  });
}
