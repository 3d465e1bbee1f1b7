/**
 * The browsers of a worker: one of each kind shared by all its tests, and separate ones for tests that need different
 * options.
 */
import type { Browser as Chromium } from "@playwright/test";
import type { Browser as Firefox } from "puppeteer-core";
import { launchChromium, openChromium } from "./chromium.js";
import { launchFirefox, openFirefox } from "./firefox.js";
import { canShare, type LaunchOptions, type Tab } from "./tab.js";

export type BrowserName = "chromium" | "firefox";

export class Browsers {
  #chromium: Chromium | undefined;
  #firefox: Firefox | undefined;

  /** Opens a tab whose storage no other test sees. */
  async open(name: BrowserName, options: LaunchOptions = {}): Promise<Tab> {
    if (name === "chromium") {
      if (canShare(options)) return openChromium(await this.#sharedChromium(), options);
      const browser = await launchChromium(options);
      return openChromium(browser, options, () => browser.close());
    }
    // Firefox takes its colour scheme from a preference.
    if (canShare(options) && options.dark !== true) return openFirefox(await this.#sharedFirefox(), options);
    const browser = await launchFirefox(options);
    return openFirefox(browser, options, async () => {
      if (browser.connected) await browser.close();
    });
  }

  async close(): Promise<void> {
    await this.#chromium?.close();
    if (this.#firefox?.connected === true) await this.#firefox.close();
  }

  /** Returns the shared browser, started on first use and restarted if it is gone. */
  async #sharedChromium(): Promise<Chromium> {
    if (this.#chromium?.isConnected() !== true) this.#chromium = await launchChromium();
    return this.#chromium;
  }

  async #sharedFirefox(): Promise<Firefox> {
    if (this.#firefox?.connected !== true) this.#firefox = await launchFirefox();
    return this.#firefox;
  }
}
