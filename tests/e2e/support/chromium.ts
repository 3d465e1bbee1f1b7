import { chromium, type Browser, type BrowserContext, type Page } from "@playwright/test";
import { CHROMIUM } from "./env.js";
import { DEFAULT_VIEWPORT, type LaunchOptions, type Tab } from "./tab.js";

/** Chromium offers its software adapter (SwiftShader) only with this flag; without it requestAdapter returns null. */
const WEBGPU_ARGS = ["--enable-unsafe-webgpu"];
/** Flags that prevent connections to anything but our server. */
const QUIET_ARGS = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];

export function launchChromium({ webgpu }: LaunchOptions = {}): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: [...QUIET_ARGS, ...(webgpu === false ? [] : WEBGPU_ARGS)] });
}

/** Opens a tab with separate cookies and storage. `close` ends it. */
export async function openChromium(
  browser: Browser,
  options: LaunchOptions,
  close?: () => Promise<void>,
): Promise<Tab> {
  const context = await browser.newContext({
    viewport: options.viewport ?? DEFAULT_VIEWPORT,
    colorScheme: options.dark ? "dark" : "light",
    serviceWorkers: options.serviceWorkers ? "allow" : "block",
  });
  return openTab(context, options, [], close ?? (() => context.close()));
}

/** Opens a tab in a context. `close` ends more than the tab. */
async function openTab(
  context: BrowserContext,
  options: LaunchOptions,
  errors: string[],
  close?: () => Promise<void>,
): Promise<Tab> {
  const newPage = async (): Promise<Page> => {
    const page = await context.newPage();
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    page.on("pageerror", (error) => {
      errors.push(String(error));
    });
    return page;
  };
  let page = await newPage();
  const { workerPrelude } = options;
  if (workerPrelude !== undefined) {
    await page.route(/\/worker[^/]*\.js$/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: workerPrelude + (await response.text()) });
    });
  }
  return {
    browser: "chromium",
    errors,
    goto: async (url) => {
      await page.goto(url);
    },
    reload: async () => {
      await page.reload();
    },
    // Playwright's own types destructure the argument type, which a generic cannot express.
    evaluate: (fn, arg) => page.evaluate(fn as never, arg as never),
    run: (source) => page.evaluate(source),
    waitVisible: async (selector, timeout) => {
      await page.locator(selector).first().waitFor({ timeout });
    },
    click: (selector) => page.locator(selector).first().click(),
    fill: (selector, text) => page.locator(selector).fill(text),
    press: (key) => page.keyboard.press(key),
    setFile: (selector, ...paths) => page.locator(selector).setInputFiles(paths),
    screenshot: async (path) => {
      await page.screenshot({ path });
    },
    heapBytes: async () => {
      const session = await page.context().newCDPSession(page);
      await session.send("HeapProfiler.collectGarbage");
      const { usedSize } = await session.send("Runtime.getHeapUsage");
      await session.detach();
      return usedSize;
    },
    workers: () => page.workers().length,
    reopen: async () => {
      await page.close();
      page = await newPage();
    },
    another: () => openTab(context, options, errors),
    close: close ?? (() => page.close()),
  };
}
