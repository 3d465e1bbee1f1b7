/** The page while an answer streams in word by word, from a core whose answer the spec dictates. */
import { keptMessages, titles } from "../../support/conversations.js";
import { FAKE_MODEL, serveFakePage } from "../../support/fake-page.js";
import type { FileServer } from "../../support/file-server.js";
import { expect, test } from "../../support/test.js";

// One build of the page is enough.
test.describe.configure({ mode: "default" });

let page: FileServer;

test.beforeAll(async () => {
  page = await serveFakePage();
});

test.afterAll(() => {
  (page as FileServer | undefined)?.stop();
});

test("an answer's HTML stays text in each of its beginnings, and its pictures are not loaded", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.load(FAKE_MODEL, {}, page.url);
  await chat.tab.evaluate(() => {
    const seen = new Set<string>();
    const bad = '.answer :is(img, script, style, iframe, form, svg, [onerror], [style], a[href^="javascript"])';
    new MutationObserver(() => {
      for (const element of document.querySelectorAll(bad)) seen.add(element.outerHTML);
      if (getComputedStyle(document.body).display === "none") seen.add("a style");
    }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    Object.assign(globalThis, { seen });
  }, null);
  await chat.ask(
    '!echo **bold** <img src="https://example.com/x.png" onerror="globalThis.seen.add(1)"> and ' +
      "<script>globalThis.seen.add(2)</script> ![a picture](https://example.com/y.png) " +
      "[a link](javascript:globalThis.seen.add(3)) the end <style> body { display: none } </style> " +
      '<svg onload="globalThis.seen.add(4)"> <form action="https://example.com"> <iframe srcdoc="<b>x</b>">',
  );
  const { seen, urls } = await chat.tab.evaluate(
    () => ({
      seen: [...(globalThis as unknown as { seen: Set<unknown> }).seen],
      urls: performance.getEntriesByType("resource").map(({ name }) => name),
    }),
    null,
  );
  expect(seen).toEqual([]);
  expect(await chat.count(".answer strong")).toBe(1);
  expect(await chat.answer()).toContain("the end");
  for (const url of urls) expect(url.startsWith(page.url) || url.startsWith("blob:"), url).toBe(true);
});

test("a tab that is closed in the middle of an answer keeps what had come, as stopped", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.load(FAKE_MODEL, {}, page.url);
  const words = Array.from({ length: 200 }, (_, i) => `word${String(i)}`).join(" ");
  await chat.send(`!echo ${words}`);
  // The draft is saved every two seconds.
  const draft = async (): Promise<string> =>
    (await keptMessages(chat)).find(({ end }) => end === "running")?.content ?? "";
  await expect.poll(draft, { timeout: 20_000 }).not.toBe("");
  await chat.tab.reopen?.();
  await chat.open({}, page.url);
  await chat.tab.click("#conversations .entry-title");
  await chat.tab.waitVisible('.message.assistant[data-state="stopped"]', 20_000);
  const kept = await chat.answer();
  expect(kept.split(" ").length).toBeGreaterThan(10);
  expect(kept.length).toBeLessThan(words.length);
  expect(words.startsWith(kept.trim())).toBe(true);
});

test("an answer goes on by itself after a reload, and no word is lost or comes twice", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.load(FAKE_MODEL, {}, page.url);
  const words = Array.from({ length: 200 }, (_, i) => `word${String(i)}`).join(" ");
  await chat.send(`!echo ${words}`);
  const running = async (): Promise<number> => (await keptMessages(chat)).filter(({ end }) => end === "running").length;
  await expect.poll(running, { timeout: 20_000 }).toBe(1);
  await chat.tab.reload();
  await chat.waitReady();
  expect(await chat.waitAnswer()).toBe(words);
  expect(await chat.count(".message")).toBe(2);
  const [, answer] = await keptMessages(chat);
  expect(answer).not.toHaveProperty("journal");
});

test("a conversation that is deleted while it is answered does not come back", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.load(FAKE_MODEL, {}, page.url);
  // Takes seconds on the fake core, so that the answer is certain to be streaming when it is deleted.
  await chat.send(`!echo ${"word ".repeat(200)}`);
  const state = await chat.tab.evaluate(async () => {
    const state = (): string => document.querySelector<HTMLElement>(".message.assistant")?.dataset.state ?? "waiting";
    while (state() === "waiting") await new Promise(requestAnimationFrame);
    const found = state();
    document.querySelector<HTMLElement>('#conversations .icon-button[aria-label^="Delete"]')?.click();
    return found;
  }, null);
  expect(state).toBe("streaming");
  await expect.poll(() => titles(chat)).toEqual([]);
  // The engine starts this answer after finishing the other one, and the store is written in order.
  await chat.ask("Still there?");
  expect(await titles(chat)).toEqual(["Still there?"]);
  const kept = await keptMessages(chat);
  expect(kept.filter(({ role }) => role === "user").map(({ content }) => content)).toEqual(["Still there?"]);
  expect(kept).toHaveLength(2);
});
