/** The documentation site as it is built (`cargo xtask docs`): its search, questions to it, and nothing from elsewhere. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../support/env.js";
import { serveFiles, type FileServer } from "../../support/file-server.js";
import { SKIPS } from "../../support/skips.js";
import type { Tab } from "../../support/tab.js";
import { expect, test } from "../../support/test.js";

const dist = join(root, "docs/.vitepress/dist");
const IS_BUILT = existsSync(join(dist, "llms-full.txt"));

let site: FileServer;

test.beforeAll(async () => {
  if (IS_BUILT) site = await serveFiles({ "/": dist });
});

test.afterAll(() => {
  if (IS_BUILT) site.stop();
});

test.beforeEach(() => {
  test.skip(!IS_BUILT, SKIPS.docs);
});

/** Returns the hosts that a page has asked for anything. */
function hosts(tab: Tab): Promise<string[]> {
  return tab.evaluate(
    () => [...new Set(performance.getEntriesByType("resource").map(({ name }) => new URL(name).host))],
    null,
  );
}

test("the search finds a page by its words", async ({ launch }) => {
  const { tab } = await launch("chromium");
  await tab.goto(site.url);
  await tab.click(".VPNavBarSearch button");
  await tab.waitVisible(".VPLocalSearchBox input", 20_000);
  await tab.fill(".VPLocalSearchBox input", "canRun");
  await tab.waitVisible(".VPLocalSearchBox .result", 20_000);
  const found = await tab.evaluate(
    () =>
      [...document.querySelectorAll<HTMLAnchorElement>(".VPLocalSearchBox .result")].map(({ pathname }) => pathname),
    null,
  );
  expect(found.join(" ")).toContain("/guide/models");
  expect(tab.errors).toEqual([]);
  expect(await hosts(tab)).toEqual([new URL(site.url).host]);
});

test("questions to the docs are answered from their pages", async ({ launch }) => {
  const { tab } = await launch("chromium");
  await tab.goto(`${site.url}ask`);
  await tab.waitVisible('.ask form[role="search"] input', 20_000);
  const before = await hosts(tab);
  await tab.fill('.ask form[role="search"] input', "How do I stop an answer that is streaming?");
  await tab.click('.ask form[role="search"] button');
  await expect
    .poll(() => tab.evaluate(() => document.querySelector<HTMLElement>(".ask")?.innerText ?? "", null), {
      timeout: 60_000,
    })
    .toMatch(/abort|signal/i);
  const links = await tab.evaluate(
    () => [...document.querySelectorAll<HTMLAnchorElement>(".ask li a[href]")].map((link) => link.pathname + link.hash),
    null,
  );
  // Each passage leads to its page, which is there.
  const passages = links.filter((link) => link.startsWith("/guide/"));
  expect(passages.length).toBeGreaterThan(0);
  for (const passage of passages) {
    const status = await tab.evaluate(async (address) => (await fetch(address)).status, passage.split("#")[0] ?? "");
    expect([passage, status]).toEqual([passage, 200]);
  }
  expect(tab.errors).toEqual([]);
  // No model is fetched unless the visitor chooses one.
  expect(await hosts(tab)).toEqual(before);
});
