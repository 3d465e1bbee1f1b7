import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import puppeteer, { type Browser, type BrowserContext, type ElementHandle } from "puppeteer-core";
import { FIREFOX } from "./env.js";
import { DEFAULT_VIEWPORT, type LaunchOptions, type Tab } from "./tab.js";

/** Both are needed: on Linux WebGPU is off in release builds, and software drivers (lavapipe) are on the blocklist. */
const WEBGPU_PREFS = { "dom.webgpu.enabled": true, "gfx.webgpu.ignore-blocklist": true };
/** Preferences that prevent connections to anything but our server. */
const QUIET_PREFS = {
  "app.update.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "datareporting.healthreport.uploadEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "",
};
/** Longest run of a script in the page: an answer on a software GPU takes minutes. */
const PROTOCOL_TIMEOUT_MS = 900_000;

/** Longest wait for a browser, for a navigation, and for an element that is to be used. */
const ACTION_TIMEOUT_MS = 120_000;

export function launchFirefox(options: LaunchOptions = {}): Promise<Browser> {
  return puppeteer.launch({
    browser: "firefox",
    executablePath: FIREFOX,
    headless: true,
    protocolTimeout: PROTOCOL_TIMEOUT_MS,
    timeout: ACTION_TIMEOUT_MS,
    extraPrefsFirefox: {
      ...QUIET_PREFS,
      ...(options.webgpu === false ? {} : WEBGPU_PREFS),
      "dom.serviceWorkers.enabled": options.serviceWorkers === true,
      "layout.css.prefers-color-scheme.content-override": options.dark ? 0 : 1,
    },
  });
}

/** Opens a tab in a separate container, with separate cookies and storage. `close` ends it. */
export async function openFirefox(browser: Browser, options: LaunchOptions, close?: () => Promise<void>): Promise<Tab> {
  const context = await browser.createBrowserContext();
  const end = async (): Promise<void> => {
    if (browser.connected && !context.closed) await context.close();
  };
  return openTab(context, options, [], close ?? end);
}

/** Opens a tab in a container. `close` ends more than the tab. */
async function openTab(
  context: BrowserContext,
  options: LaunchOptions,
  errors: string[],
  close?: () => Promise<void>,
): Promise<Tab> {
  const page = await context.newPage();
  page.setDefaultTimeout(ACTION_TIMEOUT_MS);
  await page.setViewport(options.viewport ?? DEFAULT_VIEWPORT);
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  page.on("pageerror", (error) => {
    errors.push(String(error));
  });
  return {
    browser: "firefox",
    errors,
    goto: async (url) => {
      await page.goto(url);
    },
    reload: async () => {
      await page.reload();
    },
    // Puppeteer's own types destructure the argument type, which a generic cannot express.
    evaluate: (fn, arg) => page.evaluate(fn as never, arg as never),
    run: (source) => page.evaluate(source),
    waitVisible: async (selector, timeout) => {
      await page.waitForSelector(selector, { visible: true, timeout });
    },
    click: async (selector) => {
      const element = await page.waitForSelector(selector, { visible: true });
      // (Puppeteer clicks where something else may lie over it, such as what sticks to the page's end)
      await element?.evaluate(async (found) => {
        found.scrollIntoView({ block: "center" });
        // Nor does it wait, as Playwright does, until an element stays where it is.
        for (let last = "", at = "?"; at !== last;) {
          last = at;
          await new Promise(requestAnimationFrame);
          const { x, y, width, height } = found.getBoundingClientRect();
          at = [x, y, width, height].join();
        }
      });
      await page.click(selector);
    },
    fill: async (selector, text) => {
      if (text !== "") {
        await page.locator(selector).fill(text);
        return;
      }
      // Filling in an empty text fires no event in the page.
      await page.$eval(selector, (field) => {
        (field as HTMLInputElement).value = "";
        field.dispatchEvent(new Event("input", { bubbles: true }));
      });
    },
    press: (key) => page.keyboard.press(key),
    setFile: async (selector, ...paths) => {
      const input = (await page.waitForSelector(selector)) as ElementHandle<HTMLInputElement>;
      await input.uploadFile(...paths);
    },
    screenshot: async (path) => {
      mkdirSync(dirname(path), { recursive: true });
      await page.screenshot({ path: path });
    },
    another: () => openTab(context, options, errors),
    close: close ?? (() => page.close()),
  };
}
