/** What the page measures and shows, and what the page itself weighs. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { IS_FAKE, root, screenshotFile, TINY } from "../support/env.js";
import { expect, test } from "../support/test.js";

test("the performance view shows the answer's numbers, and the benchmark's report can be shared", async ({
  launch,
}) => {
  test.skip(IS_FAKE, "the fake core measures nothing");
  const chat = await launch("chromium");
  await chat.load(TINY, { device: "cpu", max_tokens: 24, temperature: 0 });
  await chat.ask("Hi, 42!");
  await chat.ask("Hi again");
  await chat.tab.click("#open-performance");
  await chat.tab.waitVisible("#performance .numbers", 30_000);
  const tiles = await chat.text("#performance .tiles");
  expect(tiles).toMatch(/Speed\s+[\d.]+ tok\/s/);
  expect(tiles).toMatch(/Reused of the prompt\s+[1-9]\d* \/ \d+/);
  expect(tiles).toMatch(/Memory held\s+[\d.]+ [kM]B/);
  expect(await chat.count(".sparkline polyline")).toBe(1);

  await chat.tab.click("#benchmark");
  await chat.tab.waitVisible("#performance .bars", 60_000);
  await expect.poll(() => chat.count("#benchmark-json"), { timeout: 60_000 }).toBe(1);
  const text = await chat.tab.evaluate(() => document.querySelector("#benchmark-json")?.textContent ?? "", null);
  const report = JSON.parse(text) as {
    format: string;
    device: { kind: string };
    cases: { name: string; tokens: number; tokens_per_second: number }[];
  };
  expect(report.format).toBe("hearth-benchmark");
  expect(report.device.kind).toBe("cpu");
  expect(report.cases.length).toBeGreaterThan(0);
  for (const { tokens, tokens_per_second } of report.cases) {
    expect(tokens).toBeGreaterThan(0);
    expect(tokens_per_second).toBeGreaterThan(0);
  }
  await chat.tab.screenshot(screenshotFile("performance"));
});

test("what the page needs before it can be used is small", () => {
  test.skip(IS_FAKE, "needs the built page");
  const dist = join(root, "www/dist");
  const page = readFileSync(join(dist, "index.html"), "utf8");
  const named = [...page.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, name = ""]) => name);
  const size = (name: string): number => brotliCompressSync(readFileSync(join(dist, name))).length;
  const sum = ["index.html", ...named].reduce((bytes, name) => bytes + size(name), 0);
  console.log(`brotli: ${String(sum)} bytes before the page is interactive: ${named.join(", ")}`);
  expect(named.length).toBeGreaterThanOrEqual(2);
  expect(sum).toBeLessThan(200_000);
  // Formulas, code and formats come when they are wanted.
  const script = named.map((name) => (name.endsWith(".js") ? readFileSync(join(dist, name), "utf8") : "")).join("");
  const parts = readdirSync(join(dist, "assets")).filter((name) => /^(katex|common)-.*\.js$/.test(name));
  expect(parts).toHaveLength(2);
  for (const part of parts) expect(script).toContain(part);
});
