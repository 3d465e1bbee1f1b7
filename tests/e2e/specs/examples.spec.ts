/** The examples, each as a person would run it: installed, built, opened. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "@playwright/test";
import type { Chat } from "../support/chat.js";
import { CHROMIUM, goldenFile, HAS_SMOLLM2, IS_FAKE, root, smollm2File } from "../support/env.js";
import { serveFiles } from "../support/file-server.js";
import { Project } from "../support/packed.js";
import { expect, test } from "../support/test.js";

const WAIT = { timeout: 120_000 };

/** Opens a page and waits for its end; gives what it wrote. */
async function done(chat: Chat, url: string): Promise<string> {
  await chat.tab.goto(url);
  const settled = /^(Done|HearthError|Error|TypeError|SyntaxError)/;
  await expect.poll(() => chat.text("#status"), WAIT).toMatch(settled);
  expect(await chat.text("#status")).toBe("Done");
  expect(chat.tab.errors).toEqual([]);
  return await chat.text("#output");
}

test.describe("features", () => {
  let project: Project | undefined;
  let url: string;

  test.beforeAll(async () => {
    test.skip(IS_FAKE, "needs the real package");
    project = new Project("features");
    project.add(goldenFile("tiny_llama.gguf"), "tiny.gguf");
    project.add(goldenFile("embed_bert.gguf"), "embed.gguf");
    if (HAS_SMOLLM2) project.add(smollm2File(), "smollm2.gguf");
    url = await project.serve();
  });

  test.afterAll(async () => {
    await project?.close();
  });

  const page = (name: string, params = ""): string => `${url}${name}.html?device=cpu&model=/tiny.gguf${params}`;

  test("abort", async ({ launch }) => {
    expect(await done(await launch("firefox"), page("abort"))).toMatch(/… stopped\.\n./);
  });

  test("json-schema", async ({ launch }) => {
    const written = await done(await launch("chromium"), page("json-schema"));
    expect(written).toMatch(/^legs: [0-8], kind: (bird|fish|mammal), wild: (true|false)$/);
  });

  test("offline", async ({ launch }) => {
    const chat = await launch("chromium");
    const first = await done(chat, page("offline"));
    expect(first).toContain(`/tiny.gguf: ${String(statSync(goldenFile("tiny_llama.gguf")).size)} bytes`);
  });

  test("rag", async ({ launch }) => {
    expect(await done(await launch("chromium"), page("rag", "&embedder=/embed.gguf"))).toMatch(/^From: .+\n./);
  });

  test("tools", async ({ launch }) => {
    test.skip(!HAS_SMOLLM2, "the model is not at hand (HEARTH_SMOLLM2 is not set)");
    const written = await done(await launch("firefox"), page("tools").replace("tiny", "smollm2"));
    expect(written).toMatch(/^add\(\{"a": -?\d+, "b": -?\d+\}\)\n./);
  });
});

test("React", async ({ launch }) => {
  test.skip(IS_FAKE, "needs the real package");
  const project = new Project("react", "below");
  try {
    project.add(goldenFile("tiny_llama.gguf"), "tiny.gguf");
    const chat = await launch("chromium");
    await chat.tab.goto(`${await project.serve()}?device=cpu&model=/tiny.gguf`);
    await expect.poll(() => chat.text("#status"), WAIT).toContain("Ready on");
    await chat.tab.click("form button");
    await expect.poll(() => chat.text("#status"), WAIT).toBe("Done");
    expect(await chat.text("#answer")).not.toBe("");
    expect(chat.tab.errors).toEqual([]);
    // StrictMode mounts twice: the first engine is gone.
    expect(chat.tab.workers?.()).toBe(1);
  } finally {
    await project.close();
  }
});

test("Next", async ({ launch }) => {
  test.skip(IS_FAKE, "needs the real package");
  const project = new Project("next", "below");
  const next = join(root, "node_modules/next/dist/bin/next");
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1" };
  let server: ChildProcess | undefined;
  try {
    project.add(goldenFile("tiny_llama.gguf"), "tiny.gguf");
    execFileSync(process.execPath, [next, "build"], { cwd: project.folder, env });
    server = spawn(process.execPath, [next, "start", "-p", "0"], { cwd: project.folder, env });
    const url = await new Promise<string>((resolve, reject) => {
      let said = "";
      server?.stdout?.on("data", (data: Buffer) => {
        said += String(data);
        const found = /http:\/\/localhost:\d+/.exec(said)?.[0];
        if (found !== undefined) resolve(found);
      });
      server?.on("exit", () => {
        reject(new Error(`Next ended: ${said}`));
      });
    });
    const chat = await launch("chromium");
    await chat.tab.goto(`${url}/?device=cpu&model=/tiny.gguf`);
    await expect.poll(() => chat.text("#status"), WAIT).toContain("Ready on");
    await chat.tab.click("form button");
    await expect.poll(() => chat.text("#status"), WAIT).toBe("Done");
    expect(await chat.text("#answer")).not.toBe("");
    expect(chat.tab.errors).toEqual([]);
  } finally {
    server?.kill();
    await project.close();
  }
});

const TINY_HERE = "?device=cpu&model=/public/tiny.gguf";

test("vanilla, without a build", async ({ launch }) => {
  test.skip(IS_FAKE, "needs the real package");
  const project = new Project("vanilla");
  project.add(goldenFile("tiny_llama.gguf"), "tiny.gguf");
  const { url, stop } = await serveFiles({ "/": project.folder });
  try {
    expect(await done(await launch("firefox"), url + TINY_HERE)).not.toBe("");
  } finally {
    stop();
    await project.close();
  }
});

for (const browser of ["chromium", "firefox"] as const) {
  test(`a service worker: the second visit needs no server · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, "needs the real package");
    const project = new Project("service-worker");
    project.add(goldenFile("tiny_llama.gguf"), "tiny.gguf");
    const { url, stop } = await serveFiles({ "/": project.folder });
    try {
      const chat = await launch(browser, { serviceWorkers: true });
      const answer = await done(chat, url + TINY_HERE);
      stop();
      chat.tab.errors.length = 0;
      await chat.tab.reload();
      await expect.poll(() => chat.text("#status"), WAIT).toMatch(/^(Done|\w*Error)/);
      expect(await chat.text("#status")).toBe("Done");
      expect(await chat.text("#output")).toBe(answer);
    } finally {
      stop();
      await project.close();
    }
  });
}

test("a web extension", async () => {
  test.skip(IS_FAKE, "needs the real package");
  const project = new Project("extension");
  project.add(goldenFile("tiny_llama.gguf"), "tiny.gguf");
  const context = await chromium.launchPersistentContext(join(project.folder, ".profile"), {
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--headless=new",
      `--disable-extensions-except=${project.folder}`,
      `--load-extension=${project.folder}`,
    ],
  });
  try {
    const background = context.serviceWorkers()[0] ?? (await context.waitForEvent("serviceworker", WAIT));
    const page = await context.newPage();
    const { origin } = new URL(background.url());
    await page.goto(
      `${origin === "null" ? background.url().replace(/\/[^/]*$/, "") : origin}/page.html?device=cpu&model=/public/tiny.gguf`,
    );
    await expect(page.locator("#status")).toHaveText(/^(Done|\w*Error.*)$/, WAIT);
    await expect(page.locator("#status")).toHaveText("Done");
    await expect(page.locator("#output")).not.toHaveText("");
  } finally {
    await context.close();
    await project.close();
  }
});
