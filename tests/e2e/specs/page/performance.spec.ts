/** The page's measurements and how it shows them, and the size of the page itself. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { IS_FAKE, root, screenshotFile, TINY } from "../../support/env.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

test("the performance view shows the answer's numbers, and the benchmark's report can be shared", async ({
  launch,
}) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const chat = await launch("chromium");
  await chat.load(TINY, { device: "cpu", max_tokens: 24, temperature: 0 });
  await chat.ask("Hi, 42!");
  await chat.ask("Hi again");
  await chat.tab.click("#open-performance");
  await chat.tab.waitVisible("#performance .numbers", 30_000);
  const tiles = await chat.text("#performance .tiles");
  expect(tiles).toMatch(/Speed\s+[\d.]+ tok\/s/);
  expect(tiles).toMatch(/Prompt from cache\s+[1-9]\d* \/ \d+/);
  expect(tiles).toMatch(/Memory in use\s+[\d.]+ [kM]B/);
  expect(await chat.count(".sparkline polyline")).toBe(1);

  await chat.tab.click("#benchmark");
  await chat.tab.waitVisible("#performance .bars", 60_000);
  await expect.poll(() => chat.count("#benchmark-json"), { timeout: 60_000 }).toBe(1);
  const text = await chat.tab.evaluate(() => document.querySelector("#benchmark-json")?.textContent ?? "", null);
  const report = JSON.parse(text) as {
    format: string;
    tier: string;
    decode: { tokens_per_second: { measured: number; predicted: number | null } };
    device: { kind: string };
    model: { weight_bytes: number };
    memory: { gpu_bytes: number; heap_bytes: number };
    cases: { name: string; tokens: number; seconds: number; tokens_per_second: number; first_token_seconds: number }[];
  };
  expect(report.format).toBe("hearth-benchmark");
  expect(report.tier).toBe("cpu");
  expect(report.decode.tokens_per_second).toEqual({
    measured: report.cases.at(-1)?.tokens_per_second,
    predicted: null,
  });
  expect(await chat.count("#save-benchmark")).toBe(1);
  expect(await chat.text("#benchmark-note")).toContain("Nothing is sent");
  expect(report.device.kind).toBe("cpu");
  expect(report.memory.gpu_bytes).toBe(0);
  expect(report.memory.heap_bytes).toBeGreaterThan(report.model.weight_bytes);
  // The cases that fit into the tiny model's context.
  expect(report.cases.map(({ name }) => name)).toEqual(["prefill_128", "decode_64"]);
  for (const { tokens, seconds, tokens_per_second, first_token_seconds } of report.cases) {
    expect(tokens_per_second).toBeCloseTo(tokens / seconds, 6);
    expect(first_token_seconds).toBeGreaterThan(0);
  }
  const [prefill, decode] = report.cases;
  // A prompt's time is the time to its first token; an answer's first token follows a shorter prompt and is not
  // counted.
  expect(prefill?.seconds).toBe(prefill?.first_token_seconds);
  expect(prefill?.tokens).toBeGreaterThan(100);
  expect(prefill?.tokens).toBeLessThanOrEqual(130);
  expect(decode?.tokens).toBeGreaterThan(0);
  expect(decode?.tokens).toBeLessThan(64);
  await chat.tab.screenshot(screenshotFile("performance"));
});

test("what the page needs before it can be used is small", () => {
  test.skip(IS_FAKE, SKIPS.fake);
  const dist = join(root, "www/dist");
  const page = readFileSync(join(dist, "index.html"), "utf8");
  const named = [...page.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, name = ""]) => name);
  const size = (name: string): number => brotliCompressSync(readFileSync(join(dist, name))).length;
  const sum = ["index.html", ...named].reduce((bytes, name) => bytes + size(name), 0);
  console.log(`brotli: ${String(sum)} bytes before the page is interactive: ${named.join(", ")}`);
  expect(named.length).toBeGreaterThanOrEqual(2);
  expect(sum).toBeLessThan(200_000);
  // Formulas, highlighting and formats are fetched on demand.
  const script = named.map((name) => (name.endsWith(".js") ? readFileSync(join(dist, name), "utf8") : "")).join("");
  const parts = readdirSync(join(dist, "assets")).filter((name) => /^(katex|common)-.*\.js$/.test(name));
  expect(parts).toHaveLength(2);
  for (const part of parts) expect(script).toContain(part);
  // So is what talks to servers.
  const isClient = (text: string): boolean => text.includes("does not allow this page (CORS)");
  expect(isClient(script)).toBe(false);
  const scripts = readdirSync(join(dist, "assets")).filter((name) => name.endsWith(".js"));
  expect(scripts.filter((name) => isClient(readFileSync(join(dist, "assets", name), "utf8")))).toHaveLength(1);
});
