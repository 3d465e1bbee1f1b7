/** Entries that only a browser can show: the element in a page of plain HTML, and tools of a page by WebMCP. */
import { join } from "node:path";
import { chromium } from "@playwright/test";
import { CHROMIUM, goldenFile, IS_FAKE, root } from "../../support/env.js";
import { serveFiles, type FileServer } from "../../support/file-server.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

type Tools = typeof import("hearth-llm/tools");

let site: FileServer;

test.beforeAll(async () => {
  const files = { "/index.html": join(root, "www/index.html"), "/tiny.gguf": goldenFile("tiny/tiny_llama.gguf") };
  // A page without anything of its own.
  site = await serveFiles({ ...files, "/": join(root, "pkg/dist") }, (path, body) =>
    path === "/index.html"
      ? '<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="data:,"><body></body></html>'
      : body,
  );
});

test.afterAll(() => {
  (site as FileServer | undefined)?.stop();
});

for (const browser of ["chromium", "firefox"] as const) {
  test(`<hearth-chat> answers in a page without a framework · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const { tab } = await launch(browser);
    await tab.goto(`${site.url}index.html`);
    const answer = await tab.evaluate(
      async ({ url, model }) => {
        await import(url);
        const chat = document.createElement("hearth-chat") as HTMLElement & { send: (text: string) => Promise<void> };
        const ended = new Promise<string>((resolve, reject) => {
          chat.addEventListener("message", (found) => {
            const { role, content } = (found as CustomEvent<{ role: string; content: string }>).detail;
            if (role === "assistant") resolve(content);
          });
          chat.addEventListener("error", (found) => {
            reject((found as unknown as CustomEvent<Error>).detail);
          });
        });
        const ready = new Promise((resolve) => {
          chat.addEventListener("ready", resolve);
        });
        chat.setAttribute("model", model);
        chat.setAttribute("device", "cpu");
        chat.setAttribute("autoload", "");
        document.body.append(chat);
        await Promise.race([ready, ended]);
        await chat.send("What is a hearth?");
        return await ended;
      },
      { url: `${site.url}element/index.js`, model: `${site.url}tiny.gguf` },
    );
    expect(answer).not.toBe("");
    expect(tab.errors).toEqual([]);
  });
}

/** The draft is behind a switch of Chromium's; a version without it says so here. */
test("a page's tools are there for a model, and the package's for the browser's agents (WebMCP)", async () => {
  const args = ["--no-sandbox", "--disable-background-networking", "--enable-features=WebMCP"];
  const browser = await chromium.launch({ executablePath: CHROMIUM, args });
  try {
    const page = await browser.newPage();
    await page.goto(`${site.url}index.html`);
    const found = await page.evaluate(async (url) => {
      const { offerTools, pageTools } = (await import(url)) as Tools;
      const context = (document as unknown as { modelContext?: Parameters<Tools["pageTools"]>[0] }).modelContext;
      if (context === undefined) return undefined;
      const { signal, abort } = ((own) => ({ signal: own.signal, abort: own.abort.bind(own) }))(new AbortController());
      await offerTools(
        context,
        [
          {
            type: "function",
            function: {
              name: "add",
              description: "Adds two numbers.",
              parameters: { type: "object", properties: { a: { type: "number" }, b: { type: "number" } } },
            },
            execute: ({ a, b }) => String(Number(a) + Number(b)),
          },
        ],
        { signal },
      );
      const tools = await pageTools(context);
      const [add] = tools;
      const sum = JSON.stringify(await add?.execute({ a: 2, b: 3 }, { signal }));
      const names = tools.map(({ function: { name }, needsApproval }) => [name, needsApproval]);
      abort();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return { names, sum, left: (await pageTools(context)).length };
    }, `${site.url}toolbox/index.js`);
    test.skip(found === undefined, "this Chromium has no WebMCP behind its switch");
    expect(found?.names).toEqual([["page__add", true]]);
    expect(found?.sum).toContain("5");
    expect(found?.left).toBe(0);
  } finally {
    await browser.close();
  }
});
