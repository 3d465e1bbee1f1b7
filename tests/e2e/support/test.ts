/** Playwright's test with what every spec here wants: a chat page that is closed in the end. */
import { test as base } from "@playwright/test";
import { Chat } from "./chat.js";
import { openChromium } from "./chromium.js";
import { openFirefox } from "./firefox.js";
import type { LaunchOptions } from "./tab.js";

export { expect } from "@playwright/test";

export type BrowserName = "chromium" | "firefox";

interface Fixtures {
  launch: (browser: BrowserName, options?: LaunchOptions) => Promise<Chat>;
}

export const test = base.extend<Fixtures>({
  // Playwright reads the fixture's dependencies from this pattern, so it has to be there, empty.
  // eslint-disable-next-line no-empty-pattern
  launch: async ({}, use) => {
    const open: Chat[] = [];
    await use(async (browser, options) => {
      const chat = new Chat(await (browser === "chromium" ? openChromium(options) : openFirefox(options)));
      open.push(chat);
      return chat;
    });
    for (const chat of open) await chat.tab.close();
  },
});
