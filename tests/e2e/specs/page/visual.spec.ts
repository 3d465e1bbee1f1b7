/**
 * The page's appearance, compared with pictures that a person has checked: two themes, two sizes. Chromium only, with
 * the test's own fonts, since machines differ in theirs. After an intended change: `--update-snapshots`, and look at
 * the pictures.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chromium, type Browser, type Page } from "@playwright/test";
import { conversationFile } from "../../support/conversations.js";
import { CHROMIUM, goldenFile, HAS_SMOLLM2, IS_FAKE, root, SMOLLM2, smollm2File } from "../../support/env.js";
import { serveFiles, type FileServer } from "../../support/file-server.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

/**
 * Pixels that may differ through rounding of glyphs and curves. A word of text has more, a button three times as many.
 */
const PAGE = { maxDiffPixels: 300, animations: "disabled" } as const;
/** Tolerance for a picture of a single element. */
const ELEMENT = { maxDiffPixels: 20, animations: "disabled" } as const;
const SIZES = { desktop: { width: 1280, height: 860 }, phone: { width: 390, height: 780 } };
const dist = join(root, "www/dist");

const TURNS = [
  {
    user: "What does a fire need?",
    reasoning: "Fuel, air and heat: the fire triangle. A table says it best.",
    assistant:
      "A fire needs **three things**, and goes out when one of them is missing:\n\n" +
      "| what | where it comes from |\n| --- | --- |\n| fuel | wood, peat, a good idea |\n| air | an open door |\n" +
      "| heat | the fire before it |\n\nAs a rule: the warmth falls with the square of the distance, $I = P / 4\\pi r^2$.",
  },
  {
    user: "Write that as Python.",
    assistant:
      "```python\nfrom math import pi\n\ndef warmth(power: float, distance: float) -> float:\n" +
      '    """Watts on a square metre."""\n    return power / (4 * pi * distance**2)\n```\n\n' +
      "At two metres a stove of 6 kW gives `warmth(6000, 2)`, about 119 W.",
  },
];

// One browser and two servers are enough.
test.describe.configure({ mode: "default" });

let browser: Browser;
let whole: FileServer;
let small: FileServer;

test.beforeAll(async () => {
  test.skip(IS_FAKE, SKIPS.fake);
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--enable-unsafe-webgpu"] });
  whole = await serveFiles({ [SMOLLM2]: smollm2File(), "/": dist });
  // Any model will do for a conversation.
  small = await serveFiles({ [SMOLLM2]: goldenFile("tiny/tiny_llama.gguf"), "/": dist });
});

test.afterAll(async () => {
  await (browser as Browser | undefined)?.close();
  (whole as FileServer | undefined)?.stop();
  (small as FileServer | undefined)?.stop();
});

async function open(url: string): Promise<Page> {
  // The policy is bypassed for the font only.
  const page = await browser.newPage({ bypassCSP: true });
  await page.addInitScript(() => {
    // Values that differ from machine to machine.
    Object.defineProperty(navigator, "deviceMemory", { value: 8 });
    navigator.storage.estimate = () => Promise.resolve({ quota: 20e9, usage: 0 });
    const { gpu } = navigator as { gpu?: { requestAdapter(options?: object): Promise<object | null> } };
    const real = gpu?.requestAdapter.bind(gpu);
    if (gpu === undefined || real === undefined) return;
    // The bandwidth probe asks for a fast adapter; no other code on the page's side does.
    gpu.requestAdapter = (options) => (options === undefined ? real() : Promise.resolve(null));
  });
  await page.goto(url);
  const face = (family: string, file: string, weight: number): string => {
    const path = join(root, `node_modules/@fontsource/${file}-latin-${String(weight)}-normal.woff2`);
    const data = readFileSync(path, "base64");
    const source = `url(data:font/woff2;base64,${data})`;
    return `@font-face { font-family: ${family}; font-weight: ${String(weight)}; src: ${source} }`;
  };
  const faces = [
    face("Text", "inter/files/inter", 400),
    face("Text", "inter/files/inter", 600),
    face("Code", "jetbrains-mono/files/jetbrains-mono", 400),
  ];
  const rules = [
    "*:not(.katex *) { font-family: Text !important }",
    ".answer code, .answer code * { font-family: Code !important }",
  ];
  await page.addStyleTag({ content: [...faces, ...rules].join("\n") });
  await page.evaluate(() => document.fonts.ready);
  return page;
}

/** Takes the page in both themes and both sizes. */
async function look(page: Page, name: string): Promise<void> {
  for (const colorScheme of ["light", "dark"] as const) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize(viewport);
      await page.evaluate(() => {
        document.documentElement.scrollTop = 0;
      });
      await expect.soft(page).toHaveScreenshot(`${name}-${colorScheme}-${size}.png`, PAGE);
    }
  }
}

test("the first visit", async () => {
  test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
  const page = await open(whole.url);
  await page.locator("#start-now").waitFor({ timeout: 60_000 });
  await look(page, "welcome");
});

test("a conversation", async () => {
  const page = await open(`${small.url}?model=default`);
  await page.locator('body[data-screen="chat"]').waitFor({ timeout: 300_000 });
  await page.locator("#import").setInputFiles(conversationFile("What does a fire need?", TURNS));
  await page.locator(".answer .katex").first().waitFor({ timeout: 30_000 });
  await page.locator(".answer .hljs-keyword").first().waitFor({ timeout: 30_000 });
  await page.evaluate(() => document.fonts.ready);
  // A focused field blinks.
  await page.evaluate(() => {
    (document.activeElement as HTMLElement | null)?.blur();
  });
  await look(page, "chat");
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await page.setViewportSize(SIZES.desktop);
  for (const name of ["send", "device"]) {
    await expect.soft(page.locator(`#${name}`)).toHaveScreenshot(`${name}-light.png`, ELEMENT);
  }
});
