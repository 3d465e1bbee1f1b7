/**
 * The page without a network: the program and the model are both on the device; a newer program is installed on
 * request.
 */
import { join } from "node:path";
import type { Chat } from "../../support/chat.js";
import { goldenFile, HAS_SMOLLM2, IS_FAKE, root, SMOLLM2, smollm2File } from "../../support/env.js";
import { serveFiles } from "../../support/file-server.js";
import { oneBrowser } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

test.beforeEach(() => {
  test.skip(IS_FAKE, SKIPS.fake);
});

const dist = join(root, "www/dist");

/** Waits until the service worker has cached everything. */
function kept(chat: Chat): Promise<string | undefined> {
  return chat.tab.evaluate(async () => {
    const registration = await navigator.serviceWorker.getRegistration();
    return registration?.active?.state;
  }, null);
}

for (const browser of oneBrowser("firefox")) {
  test(`a second visit needs no network · ${browser}`, async ({ launch }) => {
    test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
    const { url, stop } = await serveFiles({ [SMOLLM2]: smollm2File(), "/": dist });
    try {
      const chat = await launch(browser, { serviceWorkers: true });
      const params = { device: "cpu", temperature: 0, max_tokens: 12 };
      await chat.open(params, url);
      await chat.waitOffers();
      await chat.tab.click("#start-now");
      await chat.waitReady();
      const answer = await chat.ask("Name three colours.");
      await expect.poll(() => kept(chat), { timeout: 60_000 }).toBe("activated");
      stop();
      chat.tab.errors.length = 0;
      await chat.tab.reload();
      await chat.waitReady();
      expect(await chat.ask("Name three colours.")).toBe(answer);
      expect(await chat.count("#conversations li")).toBe(2);
      // Inspecting a model that is stored here needs no network either.
      await chat.tab.click("#open-performance");
      await chat.tab.waitVisible("#performance .numbers", 30_000);
      expect(await chat.text("#performance .numbers")).toMatch(/Weights\s+96\.4 MB\s+96\.4 MB/);
    } finally {
      stop();
    }
  });
}

test("a newer version waits until it is wanted", async ({ launch }) => {
  let version = 1;
  // The second version differs in its page and, like every build, in the list of cached files.
  const server = await serveFiles({ "/tiny.gguf": goldenFile("tiny/tiny_llama.gguf"), "/": dist }, (path, body) => {
    if (version === 1) return body;
    const text = (): string => body.toString("utf8");
    if (path === "/index.html") return text().replace('<html lang="en">', '<html lang="en" class="second">');
    return path === "/sw.js" ? text().replace(/(url:.index\.html.,revision:.)\w+/, "$1second") : body;
  });
  try {
    const chat = await launch("chromium", { serviceWorkers: true });
    await chat.open({}, server.url);
    await expect.poll(() => kept(chat), { timeout: 60_000 }).toBe("activated");
    version = 2;
    await chat.tab.reload();
    // Undefined while the page is replaced.
    const name = (): Promise<string | undefined> =>
      chat.tab.evaluate(() => document.documentElement.className, null).catch(() => undefined);
    await chat.tab.waitVisible("#update", 30_000);
    // The complete old version keeps running until then.
    expect(await name()).toBe("");
    await chat.tab.click("#update button");
    await expect.poll(name, { timeout: 30_000 }).toBe("second");
  } finally {
    server.stop();
  }
});

test("can be installed", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.open();
  const found = await chat.tab.evaluate(async () => {
    const link = document.querySelector<HTMLLinkElement>('link[rel="manifest"]')?.href ?? "";
    const manifest = (await (await fetch(link)).json()) as { icons: { src: string; sizes: string }[]; display: string };
    const icons = await Promise.all(
      manifest.icons
        .filter(({ sizes }) => sizes !== "any")
        .map(async ({ src, sizes }) => {
          const picture = await createImageBitmap(await (await fetch(new URL(src, link))).blob());
          return { sizes, found: `${String(picture.width)}x${String(picture.height)}` };
        }),
    );
    return { display: manifest.display, icons };
  }, null);
  expect(found.display).toBe("standalone");
  expect(found.icons.map(({ sizes }) => sizes)).toEqual(["192x192", "512x512", "512x512"]);
  for (const icon of found.icons) expect(icon.found).toBe(icon.sizes);
});
