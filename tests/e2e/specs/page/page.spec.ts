/** The page itself: no foreign requests, keyboard, narrow screens. */
import { BASE_URL, IS_FAKE, screenshotFile, TINY } from "../../support/env.js";
import { expect, test } from "../../support/test.js";

test("nothing is requested from elsewhere, and the page has a policy that says so", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.load(TINY, { device: "cpu" });
  const { policy, urls } = await chat.tab.evaluate(
    () => ({
      policy: document.querySelector<HTMLMetaElement>('meta[http-equiv="Content-Security-Policy"]')?.content ?? "",
      urls: performance.getEntriesByType("resource").map((entry) => entry.name),
    }),
    null,
  );
  expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval'");
  // Workers obey the header.
  const worker = urls.find((url) => /worker-[^/]*\.js$/.test(url)) ?? BASE_URL;
  const header = IS_FAKE ? undefined : (await fetch(worker)).headers.get("content-security-policy");
  if (header !== undefined) expect(header).toBe(`${policy}; frame-ancestors 'none'`);
  for (const url of urls) expect(url.startsWith(BASE_URL) || url.startsWith("blob:")).toBe(true);
  expect(chat.tab.errors).toEqual([]);
});

test("Shift+Enter and Enter, a new chat, another model", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.load(TINY, { device: "cpu", max_tokens: 4 });
  await chat.send("First line\nsecond line");
  await chat.waitAnswer();
  expect(await chat.text(".message.user .bubble")).toBe("First line\nsecond line");
  await chat.tab.click("#new-chat");
  expect(await chat.count(".message")).toBe(0);
  // A suggestion is there to be changed before it is sent.
  await chat.tab.click(".suggestions button");
  await chat.tab.press("Enter");
  await chat.waitAnswer();
  expect(await chat.count(".message")).toBe(2);
  await chat.ask("Hi, 42!");
  await chat.tab.click("#change-model");
  await chat.tab.waitVisible("#models #plan", 20_000);
});

test("a narrow screen needs no sideways scrolling", async ({ launch }) => {
  const chat = await launch("chromium", { viewport: { width: 360, height: 640 }, dark: true });
  await chat.load(TINY, { device: "cpu", max_tokens: 24 });
  await chat.ask(`A long word: ${"x".repeat(200)}`);
  const overflow = await chat.tab.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    null,
  );
  expect(overflow).toBe(0);
  await chat.tab.screenshot(screenshotFile("narrow-dark"));
});
