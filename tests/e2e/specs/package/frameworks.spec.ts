/** The examples for frameworks and for an extension, each run as a person would: built and opened. Full runs only. */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { chromium } from "@playwright/test";
import { CHROMIUM, goldenFile, root } from "../../support/env.js";
import { FULL } from "../../support/full.js";
import { Project } from "../../support/packed.js";
import { expect, test } from "../../support/test.js";

const WAIT = { timeout: 120_000 };

if (FULL) {
  test("React", async ({ launch }) => {
    const project = new Project("react", "below");
    try {
      project.add(goldenFile("tiny/tiny_llama.gguf"), "tiny.gguf");
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

  for (const [bundler, ...flags] of [["Turbopack"], ["webpack", "--webpack"]]) {
    test(`Next with ${bundler ?? ""}`, async ({ launch }) => {
      const project = new Project("next", "below");
      const next = join(root, "node_modules/next/dist/bin/next");
      const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1" };
      let server: ChildProcess | undefined;
      try {
        project.add(goldenFile("tiny/tiny_llama.gguf"), "tiny.gguf");
        execFileSync(process.execPath, [next, "build", ...flags], { cwd: project.folder, env });
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
  }

  test("a web extension", async () => {
    const project = new Project("extension");
    project.add(goldenFile("tiny/tiny_llama.gguf"), "tiny.gguf");
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
}
