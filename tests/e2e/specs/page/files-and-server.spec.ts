/**
 * A conversation from end to end in both browsers: documents are dropped and asked, a citation opens its page, and it goes
 * on with llama.cpp's own server and comes back. The page runs on the fake core, whose answers the questions dictate.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Chat } from "../../support/chat.js";
import { drop, listed } from "../../support/drop.js";
import { HAS_SMOLLM2, LLAMA_PYTHON, root } from "../../support/env.js";
import { FAKE_MODEL, serveFakePage } from "../../support/fake-page.js";
import type { FileServer } from "../../support/file-server.js";
import { startLlama } from "../../support/llama-server.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test, type BrowserName } from "../../support/test.js";

// One build of the page is enough.
test.describe.configure({ mode: "default" });

const BROWSERS: BrowserName[] = ["chromium", "firefox"];
/** Five passages: [4] is "Cleaning" on page 2. */
const GUIDE = join(root, "pkg/test/documents/fixtures/guide.pdf");
const QUESTION = "!echo Remove the ash every third day [4]. None [77].";
/** The fake core counts characters. */
const PARAMS = { context: 30_000, max_tokens: 12, temperature: 0 };

let page: FileServer;

test.beforeAll(async () => {
  page = await serveFakePage();
});

test.afterAll(() => {
  (page as FileServer | undefined)?.stop();
});

const place = (chat: Chat): Promise<string> => chat.text(".message.assistant:last-child .place");

async function askDocuments(chat: Chat): Promise<void> {
  await drop(chat, [
    { name: "guide.pdf", content: readFileSync(GUIDE) },
    { name: "bees.md", content: "# Bees\n\nBees fly in March." },
    { name: "sea.txt", content: "The harbour is nine metres deep." },
  ]);
  await chat.tab.waitVisible("#documents #library", 20_000);
  await expect
    .poll(() => listed(chat), { timeout: 60_000 })
    .toEqual(["guide.pdf words", "bees.md words", "sea.txt words"]);
  await chat.tab.press("Escape");
  await chat.tab.waitVisible('#ask-documents[aria-pressed="true"]', 20_000);
  await chat.ask(QUESTION);
  await expect.poll(() => chat.count(".answer button.cite")).toBe(1);
  expect(await chat.answer()).not.toContain("77");
}

async function openCitation(chat: Chat): Promise<void> {
  await chat.tab.click('.answer button.cite[data-number="4"]');
  await chat.tab.waitVisible("#passage mark", 20_000);
  expect(await chat.text("#passage h2")).toBe("guide.pdf");
  expect(await chat.text("#passage .where")).toBe("Page 2 › Cleaning");
  expect(await chat.text("#passage mark")).toBe("Remove the ash every third day with the small shovel.");
  await chat.tab.press("Escape");
  await expect.poll(() => chat.count("dialog")).toBe(0);
}

for (const browser of BROWSERS) {
  test(`three documents are asked, and a citation opens its passage on its page · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.load(FAKE_MODEL, PARAMS, page.url);
    await askDocuments(chat);
    await openCitation(chat);
    expect(chat.tab.errors).toEqual([]);
  });

  test(`a conversation about documents goes on with llama.cpp's server, and back · ${browser}`, async ({ launch }) => {
    test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
    test.skip(LLAMA_PYTHON === undefined, SKIPS["llama.cpp"]);
    const { address, stop } = await startLlama();
    try {
      const { host } = new URL(address);
      const chat = await launch(browser);
      await chat.load(FAKE_MODEL, PARAMS, page.url);
      await askDocuments(chat);

      await chat.tab.click("#change-model");
      await chat.unfoldServer();
      await chat.tab.fill("#server-address", address);
      await chat.tab.press("Enter");
      await chat.tab.waitVisible("#server-use", 30_000);
      await chat.tab.click("#server-use");
      await expect.poll(() => chat.count("dialog")).toBe(0);
      await expect.poll(() => chat.text("#device-label")).toContain(host);
      // Passages stay here unless the visitor sends them.
      await chat.tab.waitVisible('#ask-documents[aria-pressed="false"]', 20_000);
      expect(await chat.ask("Name three rivers.")).not.toBe("");
      expect(await place(chat)).toBe(`on ${host}`);
      expect(await chat.count(".message")).toBe(4);

      await chat.tab.click("#change-model");
      await chat.tab.fill("#models #url", FAKE_MODEL);
      await chat.tab.press("Enter");
      await chat.tab.waitVisible("#models #start", 30_000);
      await chat.tab.click("#models #start");
      await expect.poll(() => chat.text("#device-label"), { timeout: 60_000 }).toMatch(/WebGPU|CPU/);
      await chat.ask(QUESTION);
      expect(await place(chat)).toBe("on this device");
      expect(await chat.count(".answer button.cite")).toBe(2);
      await openCitation(chat);
    } finally {
      stop();
    }
  });
}
