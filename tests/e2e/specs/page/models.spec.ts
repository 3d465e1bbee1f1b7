/**
 * Choosing a model: its needs are shown before it is fetched; a download pauses, resumes, and is refused where
 * necessary.
 */
import { CountingServer } from "../../support/counting-server.js";
import type { Chat } from "../../support/chat.js";
import {
  BASE_URL,
  goldenFile,
  HAS_SMOLLM2,
  IS_FAKE,
  REAL_OR_TINY,
  screenshotFile,
  smollm2File,
  TINY,
} from "../../support/env.js";
import { oneBrowser } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

const WAIT = { timeout: 60_000 };

/** Bytes that may be in flight over four connections when a download ends (see `cache.spec.ts`). */
const LOST = 32 << 20;

test.beforeEach(() => {
  test.skip(IS_FAKE, SKIPS.fake);
});

/** Drops one of the server's files on the page, as from the desktop. */
function drop(chat: Chat, address: string, name: string): Promise<void> {
  return chat.tab.evaluate(
    async (arg) => {
      const file = new File([await (await fetch(arg.address)).blob()], arg.name);
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(file);
      for (const type of ["dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
      }
    },
    { address, name },
  );
}

for (const browser of oneBrowser("firefox")) {
  test(`the panel tells data, compute and algorithm before a download; then it waits and goes on · ${browser}`, async ({
    launch,
  }) => {
    test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
    const server = new CountingServer(smollm2File());
    const url = await server.listen();
    try {
      const chat = await launch(browser);
      // A link from elsewhere fetches the header only, until the visitor agrees.
      await chat.open({ model: url, device: "cpu", max_tokens: 4 });
      await chat.tab.waitVisible("#start", WAIT.timeout);
      expect(await chat.text("#plan .verdict")).toBe("Runs on this device");
      expect(await chat.text("#start")).toMatch(/^Download 9\d\.\d MB and start$/);
      expect(await chat.text('[data-part="data"]')).toContain("to download");
      expect(await chat.text('[data-part="compute"] .numbers')).toMatch(/Weights\s+96\.4 MB/);
      expect(await chat.text('[data-part="algorithm"]')).toMatch(/llama[\s\S]*135 million[\s\S]*30, 576 wide/);
      expect(await chat.count(".tower .forward")).toBe(30);
      // The header is 2 MB; anything beyond it was already in flight when the rest was declined.
      expect(server.sent).toBeLessThan(server.size / 2);

      // (slow enough for a busy machine to keep what it is sent)
      server.speed = 4e6;
      server.sent = 0;
      await chat.tab.click("#start");
      await expect.poll(() => server.sent, WAIT).toBeGreaterThan(48 << 20);
      await chat.tab.click("#pause-load");
      await chat.tab.waitVisible('#loading[data-paused="true"]', 20_000);
      // With no response in progress, nothing more arrives unless the page requests it again.
      await expect.poll(() => server.underWay, WAIT).toBe(0);
      const { requests } = server;
      await chat.tab.screenshot(screenshotFile(`paused-${browser}`));

      expect([server.requests, server.underWay]).toEqual([requests, 0]);
      // The page is closed; the downloaded part is there when it is opened again.
      await chat.tab.reload();
      await chat.tab.waitVisible("#start", WAIT.timeout);
      expect(await chat.text("#start")).toMatch(/^Download [1-7]\d\.\d MB and start$/);
      server.speed = undefined;
      await chat.tab.click("#start");
      await chat.waitReady();
      expect(server.sent).toBeLessThan(server.size + LOST + (4 << 20));
      await chat.ask("Hi");
    } finally {
      server.close();
    }
  });
}

for (const browser of oneBrowser("chromium")) {
  test(`a file dropped on the page starts · ${browser}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.open({ device: "cpu", max_tokens: 4 });
    await drop(chat, REAL_OR_TINY, "dropped.gguf");
    await chat.waitReady();
    await chat.ask("Hi, 42!");
  });
}

test("resume goes on where pause stopped", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.open({ model: `${TINY}?slow=20000&times=1&id=${crypto.randomUUID()}`, device: "cpu", max_tokens: 4 });
  await chat.tab.click("#pause-load");
  await chat.tab.waitVisible("#resume-load", 20_000);
  expect(await chat.text("#loading-title")).toBe("Paused");
  await chat.tab.click("#resume-load");
  await chat.waitReady();
  await chat.ask("Hi, 42!");
});

for (const browser of oneBrowser("chromium")) {
  test(`a model that does not fit is not started; one that fits with a smaller context is, with that · ${browser}`, async ({
    launch,
  }) => {
    const chat = await launch(browser);
    await chat.open({ memory: 100_000, device: "cpu" });
    await chat.tab.setFile("#file", goldenFile("tiny/tiny_llama.gguf"));
    await chat.tab.waitVisible('.verdict[data-verdict="does_not_fit"]', WAIT.timeout);
    expect(await chat.text("#plan")).toContain("it takes");
    expect(await chat.text("#start")).toBe("Try anyway");
    expect(await chat.count("body[data-screen=welcome]")).toBe(1);

    // The welcome screen's own model: about 98 MB of weights, 94 of KV cache.
    await chat.open({ memory: 150e6, device: "cpu", max_tokens: 4 });
    await chat.unfoldModels();
    test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
    await chat.tab.waitVisible('.verdict[data-verdict="smaller"]', WAIT.timeout);
    expect(await chat.text(".verdict")).toMatch(/^Runs on this device with a context of [\d,]+ tokens$/);
    await chat.tab.click("#start");
    await chat.waitReady();
    const n_ctx = await chat.tab.evaluate(() => {
      const { engine } = (globalThis as unknown as { hearth: { engine: { model: { n_ctx: number } } } }).hearth;
      return engine.model.n_ctx;
    }, null);
    expect(n_ctx).toBeLessThan(2048);
    expect(n_ctx).toBeGreaterThanOrEqual(512);
  });
}

test("a longer context is wished for, priced and kept to", async ({ launch }) => {
  const chat = await launch("chromium");
  const n_ctx = (): Promise<number> =>
    chat.tab.evaluate(() => {
      const { engine } = (globalThis as unknown as { hearth: { engine: { model: { n_ctx: number } } } }).hearth;
      return engine.model.n_ctx;
    }, null);
  test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
  await chat.open({ device: "cpu", max_tokens: 4 });
  await chat.unfoldModels();
  await chat.tab.waitVisible("#start", WAIT.timeout);
  const kv = (): Promise<string> => chat.text('[data-part="compute"] [data-kind="kv"] b');
  expect(await kv()).toBe("94.4 MB");
  for (const [select, value, price] of [
    ["#wish-context", "8192", "377 MB"],
    ["#wish-kv", "q8", "100 MB"],
  ] as const) {
    await chat.tab.evaluate(
      (arg) => {
        const field = document.querySelector<HTMLSelectElement>(arg.select);
        if (field === null) throw new Error("no such wish");
        field.value = arg.value;
        field.dispatchEvent(new Event("change", { bubbles: true }));
      },
      { select, value },
    );
    await expect.poll(kv, WAIT).toBe(price);
  }
  await chat.tab.click("#start");
  await chat.waitReady();
  expect(await n_ctx()).toBe(8192);
  // The next visit starts it with the same options.
  await chat.tab.reload();
  await chat.waitReady();
  expect(await n_ctx()).toBe(8192);
});

test("a pasted link is looked at, started, found again and deleted", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.open({ device: "cpu", max_tokens: 4 });
  await chat.unfoldModels();
  await chat.tab.fill("#url", new URL(TINY, BASE_URL).href);
  await chat.tab.press("Enter");
  await expect.poll(() => chat.text("#plan"), WAIT).toContain("tiny_llama.gguf");
  await chat.tab.click("#start");
  await chat.waitReady();
  expect(await chat.text("#device-label")).toContain("CPU");

  await chat.tab.click("#change-model");
  await chat.tab.waitVisible("#models #installed li", 20_000);
  await chat.tab.fill("#models #model-search", "qwen");
  await expect.poll(() => chat.count("#models .models li")).toBe(6);
  await chat.tab.fill("#models #model-search", "tiny_l");
  await expect.poll(() => chat.count("#models .models li")).toBe(1);

  // Opened again without a model in the address, the page starts the last one by itself, if it is stored here.
  await chat.open({ device: "cpu", max_tokens: 4 });
  await chat.waitReady();
  await chat.ask("Hi, 42!");
  await chat.tab.click("#change-model");
  await chat.tab.click('#installed .icon-button[aria-label^="Delete"]');
  await chat.tab.waitVisible("#remove-model #remove", 20_000);
  expect(await chat.text("#remove-model")).toMatch(/Delete tiny_llama\.gguf\?[\s\S]*frees [\d.]+ kB/);
  await chat.tab.click("#remove");
  await expect.poll(() => chat.count("#installed")).toBe(0);
  await chat.open({ device: "cpu", max_tokens: 4 });
  await chat.waitScreen("welcome", 20_000);
});

test("a link that is no model says so", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.open({ device: "cpu" });
  await chat.unfoldModels();
  await chat.tab.fill("#url", new URL("/tests/goldens/data/none.gguf", BASE_URL).href);
  await chat.tab.press("Enter");
  await expect.poll(async () => (await chat.error("#plan .error"))?.code, WAIT).toBe("download_http");
  await chat.tab.fill("#url", "https://");
  await chat.tab.press("Enter");
  await expect.poll(async () => (await chat.error("#plan .error"))?.code, WAIT).toBe("invalid_request");
});

/**
 * Keeps the rest of an answer, from its second token on, in the worker until the channel is written to: the tiny model
 * answers within milliseconds, and the page would otherwise be done before anything is dropped on it.
 */
const HOLD_ANSWER = `{
  const post = self.postMessage.bind(self);
  let answer;
  let held = [];
  new BroadcastChannel("hearth-hold").onmessage = () => {
    held?.forEach((message) => post(message));
    held = undefined;
  };
  self.postMessage = (message, ...rest) => {
    if (held !== undefined && answer !== undefined && message.id === answer) held.push(message);
    else post(message, ...rest);
    if (message.type === "delta") answer ??= message.id;
  };
}
`;

test("what is dropped on an answer does not end it", async ({ launch }) => {
  const chat = await launch("chromium", { workerPrelude: HOLD_ANSWER });
  await chat.load(TINY, { device: "cpu", max_tokens: 8, temperature: 0 });
  await chat.send("Hi, 42!");
  await chat.waitStreaming();
  // The model does not see.
  await drop(chat, new URL("icon-192.png", BASE_URL).href, "cat.png");
  await chat.tab.waitVisible("#pictures .error", 20_000);
  expect((await chat.error("#pictures .error"))?.code).toBe("blind");
  await chat.clickButton("Dismiss");
  expect(await chat.count("dialog")).toBe(0);
  // A model that fits is shown, and waits for confirmation.
  await drop(chat, TINY, "other.gguf");
  await chat.tab.waitVisible("#models #start", 60_000);
  expect(await chat.text("#plan")).toContain("It will replace");
  await chat.tab.press("Escape");
  expect(await chat.count('.message.assistant[data-state="streaming"]')).toBe(1);
  await chat.tab.evaluate(() => {
    new BroadcastChannel("hearth-hold").postMessage("go on");
  }, null);
  await chat.waitAnswer();
  expect(await chat.text(".message.assistant:last-child .foot")).not.toContain("stopped");
});
