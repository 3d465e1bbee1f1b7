/**
 * Playwright's test with the fixtures that specs here need: chat pages that are closed at the end, and cores on devices
 * that stay open for a worker's later tests.
 */
import { test as base } from "@playwright/test";
import { Browsers, type BrowserName } from "./browsers.js";
import { Chat } from "./chat.js";
import { Core, type CoreOptions } from "./core.js";
import type { LaunchOptions } from "./tab.js";

export { expect } from "@playwright/test";
export type { BrowserName } from "./browsers.js";

interface Fixtures {
  launch: (browser: BrowserName, options?: LaunchOptions) => Promise<Chat>;
}

interface WorkerFixtures {
  browsers: Browsers;
  /** Returns the core on such a device in a browser, which is opened the first time. */
  coreOn: (browser: BrowserName, options: CoreOptions) => Promise<Core>;
}

export const test = base.extend<Fixtures, WorkerFixtures>({
  browsers: [
    // Playwright reads the fixture's dependencies from this pattern, so it must be present, even if empty.
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const browsers = new Browsers();
      await use(browsers);
      await browsers.close();
    },
    { scope: "worker" },
  ],
  coreOn: [
    async ({ browsers }, use) => {
      const open = new Map<string, Core>();
      await use(async (browser, options) => {
        const key = `${browser} ${JSON.stringify(options)}`;
        const core = open.get(key) ?? (await Core.open(await browsers.open(browser), options));
        open.set(key, core);
        return core;
      });
      for (const { tab } of open.values()) await tab.close();
    },
    { scope: "worker" },
  ],
  launch: async ({ browsers }, use) => {
    const open: Chat[] = [];
    await use(async (browser, options) => {
      const chat = new Chat(await browsers.open(browser, options));
      open.push(chat);
      return chat;
    });
    for (const chat of open) await chat.tab.close();
  },
});
