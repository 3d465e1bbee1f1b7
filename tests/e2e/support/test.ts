/** Playwright's test with the fixture that every spec here needs: a chat page that is closed at the end. */
import { test as base } from "@playwright/test";
import { Browsers, type BrowserName } from "./browsers.js";
import { Chat } from "./chat.js";
import type { LaunchOptions } from "./tab.js";

export { expect } from "@playwright/test";
export type { BrowserName } from "./browsers.js";

interface Fixtures {
  launch: (browser: BrowserName, options?: LaunchOptions) => Promise<Chat>;
}

interface WorkerFixtures {
  browsers: Browsers;
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
