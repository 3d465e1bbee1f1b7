/** Accessibility of the page: axe-core finds nothing, the keyboard reaches everything, and the page speaks Chinese. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Chat } from "../../support/chat.js";
import { importConversation } from "../../support/conversations.js";
import { root, screenshotFile, TINY } from "../../support/env.js";
import { inFull, oneBrowser } from "../../support/full.js";
import { expect, test, type BrowserName } from "../../support/test.js";

const AXE = readFileSync(join(root, "node_modules/axe-core/axe.min.js"), "utf8");
const PHONE = { width: 390, height: 780 };

/** Returns the violations, each as its rule and place. */
async function violations(chat: Chat): Promise<string[]> {
  await chat.tab.run(AXE);
  return await chat.tab.evaluate(async () => {
    interface Axe {
      run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }>;
    }
    const { axe } = globalThis as unknown as { axe: Axe };
    // Colours that are on their way to others have a contrast of neither.
    const ending = document.getAnimations().filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(ending.map(({ finished }) => finished));
    const found = await axe.run();
    return found.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary = "" }) => `${id}: ${html.slice(0, 160)} ${failureSummary}`),
    );
  }, null);
}

const TURNS = [
  {
    user: "Show me things",
    assistant:
      "# Title\n\nText with `code` and a [link](https://example.org).\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n" +
      "```js\n// a comment\nconst x = 'text' + 42;\n```\n\n- [x] done\n\n$x^2$",
    reasoning: "I think.",
  },
];

for (const [browser, dark] of [
  ["chromium", false],
  ["chromium", true],
  ...inFull<[BrowserName, boolean]>(["firefox", false]),
] satisfies [BrowserName, boolean][]) {
  test(`no violations, ${dark ? "dark" : "light"} · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser, { dark });
    await chat.open({ device: "cpu", max_tokens: 8 });
    await chat.waitOffers();
    expect(await violations(chat)).toEqual([]);

    await importConversation(chat, "Things", TURNS);
    await chat.tab.waitVisible(".answer .katex", 30_000);
    expect(await violations(chat)).toEqual([]);

    await chat.load(TINY, { device: "cpu", max_tokens: 8 });
    await chat.ask("Hi, 42!");
    expect(await violations(chat)).toEqual([]);

    for (const name of ["settings", "performance", "documents"]) {
      await chat.tab.click(`#open-${name}`);
      await chat.tab.waitVisible(`dialog#${name}`, 20_000);
      if (name === "performance") await chat.tab.waitVisible("#performance .tiles", 20_000);
      expect(await violations(chat)).toEqual([]);
      await chat.tab.press("Escape");
    }
    await chat.tab.click("#change-model");
    await chat.tab.waitVisible("#models #plan", 30_000);
    await chat.tab.click("#server summary");
    await chat.tab.waitVisible("#server-address", 20_000);
    expect(await violations(chat)).toEqual([]);
    await chat.tab.press("Escape");
    await expect.poll(() => chat.count("dialog")).toBe(0);

    await chat.open({ model: `${TINY}?status=404&dark=${String(dark)}`, device: "cpu" });
    await chat.waitError();
    expect(await violations(chat)).toEqual([]);
  });
}

test("no violations on a phone, with the conversations open", async ({ launch }) => {
  const chat = await launch("chromium", { viewport: PHONE });
  await chat.load(TINY, { device: "cpu", max_tokens: 8 });
  await chat.ask("Hi, 42!");
  expect(await violations(chat)).toEqual([]);
  await chat.tab.click("#menu");
  await chat.tab.waitVisible('#sidebar[data-open="true"] #new-chat', 20_000);
  // The sidebar slides in; while half visible it would be judged by the content underneath.
  await chat.tab.evaluate(
    () => Promise.all(document.getAnimations().map(({ finished }) => finished)).then(() => null),
    null,
  );
  expect(await violations(chat)).toEqual([]);
  await chat.tab.screenshot(screenshotFile("phone-sidebar"));
  await chat.tab.click("#conversations .entry-title");
  await expect.poll(() => chat.count('#sidebar[data-open="true"]')).toBe(0);
});

for (const browser of oneBrowser("firefox")) {
  test(`the keyboard reaches everything, in order · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.open({ device: "cpu" });
    await chat.waitOffers();
    const wanted = await chat.tab.evaluate(() => {
      const all = document.querySelectorAll<HTMLElement>("a[href], button:not(:disabled), input, summary");
      const shown = [...all].filter((element) => element.checkVisibility());
      return shown.map((element) => element.id || element.outerHTML.slice(0, 100));
    }, null);
    const seen = new Set<string>();
    for (let i = 0; i < wanted.length + 8; i++) {
      await chat.tab.press("Tab");
      const at = await chat.tab.evaluate(() => {
        const { activeElement: element } = document;
        if (element === null || element === document.body) return undefined;
        return element.id || element.outerHTML.slice(0, 100);
      }, null);
      if (at !== undefined) seen.add(at);
    }
    expect(wanted.filter((element) => !seen.has(element))).toEqual([]);
  });
}

test("an answer is told in few changes, and the conversation itself is silent", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.load(TINY, { device: "cpu", max_tokens: 64 });
  await chat.tab.evaluate(() => {
    const times: number[] = [];
    Object.assign(globalThis, { times });
    const status = document.querySelector("#announced");
    if (status === null) throw new Error("nothing is announced");
    new MutationObserver(() => times.push(performance.now())).observe(status, {
      subtree: true,
      childList: true,
      characterData: true,
    });
  }, null);
  await chat.ask("Hi, 42!");
  await expect.poll(() => chat.text("#announced"), { timeout: 20_000 }).toContain("Answer finished.");
  const times = await chat.tab.evaluate(() => (globalThis as unknown as { times: number[] }).times, null);
  // A timer may fire slightly early.
  for (const [i, at] of times.entries()) if (i > 0) expect(at - (times[i - 1] ?? 0)).toBeGreaterThan(1900);
  expect(await chat.count("#log[aria-live], #log[role=log], #log[aria-busy]")).toBe(0);
});

test("speaks Chinese where the visitor wants that, and keeps to it", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.load(TINY, { device: "cpu", max_tokens: 8 });
  await chat.tab.click("#open-settings");
  await chat.tab.evaluate(() => {
    const select = document.querySelector<HTMLSelectElement>("#language");
    if (select === null) throw new Error("no languages to choose from");
    select.value = "zh-CN";
    select.dispatchEvent(new Event("change", { bubbles: true }));
  }, null);
  await expect.poll(() => chat.text("#settings h2")).toBe("设置");
  expect(await violations(chat)).toEqual([]);
  await chat.tab.press("Escape");
  expect(await chat.text("#new-chat")).toBe("新对话");
  await chat.open({ model: `${TINY}?status=404&zh`, device: "cpu" });
  expect((await chat.waitError()).message).toBe("服务器拒绝下载：请检查地址。");
  expect(await chat.tab.evaluate(() => document.documentElement.lang, null)).toBe("zh-CN");
  await chat.tab.screenshot(screenshotFile("chinese"));
});
