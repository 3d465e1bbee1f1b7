/** Files that are not models, or cannot be run, chosen from the disk or loaded from an address. */
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { goldenFile, IS_FAKE, TINY } from "../../support/env.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

const folder = mkdtempSync(join(tmpdir(), "hearth-e2e-"));

function file(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/**
 * Returns the tiny model with another name for its architecture: the value of the key, and the prefix of the other
 * keys.
 */
function unknownArchitecture(): Uint8Array {
  if (IS_FAKE) return Buffer.from("GGUF arch=zlama");
  const bytes = readFileSync(goldenFile("tiny/tiny_llama.gguf"));
  for (let at = bytes.indexOf("llama"); at >= 0; at = bytes.indexOf("llama", at)) bytes.write("zlama", at);
  return bytes;
}

/** Returns the tiny model with a template of the same length that doubles a list sixty times. */
function endlessTemplate(): Uint8Array {
  const bytes = readFileSync(goldenFile("tiny/tiny_llama.gguf"));
  const start = bytes.indexOf("{%- for message in messages %}");
  const end = bytes.indexOf("{%- endif %}", start) + "{%- endif %}".length;
  const template =
    "{%- set n = namespace(x=[0]) %}{%- for i in range(60) %}{%- set n.x = n.x + n.x %}{%- endfor %}{{- n.x|length }}";
  bytes.write(template.padEnd(end - start), start);
  return bytes;
}

const tiny = (): Buffer => readFileSync(goldenFile("tiny/tiny_llama.gguf"));

const CASES: { name: string; path: () => string; codes: string[]; real?: boolean }[] = [
  { name: "zero bytes", path: () => file("empty.gguf", ""), codes: ["truncated_file", "bad_file"] },
  { name: "a page of HTML", path: () => file("page.gguf", "<!doctype html><p>Sign in"), codes: ["bad_file"] },
  {
    name: "an unknown architecture",
    path: () => file("unknown.gguf", unknownArchitecture()),
    codes: ["unsupported_architecture"],
  },
  {
    name: "cut in the header",
    path: () => file("header.gguf", tiny().subarray(0, 100)),
    codes: ["truncated_file", "bad_file"],
    real: true,
  },
  {
    name: "cut in the weights",
    path: () => file("weights.gguf", tiny().subarray(0, -5000)),
    codes: ["truncated_file", "bad_file"],
    real: true,
  },
];

for (const { name, path, codes, real } of CASES) {
  test(`file refused: ${name}`, async ({ launch }) => {
    test.skip(IS_FAKE && real === true, SKIPS.fake);
    const chat = await launch("chromium");
    await chat.open({ device: "cpu" });
    await chat.tab.setFile("#file", path());
    const error = await chat.waitError(60_000);
    expect(codes).toContain(error.code);
    expect(error.hint).not.toBe("");
  });
}

for (const [name, offset] of [
  ["magic", 0],
  ["tensor count", 15],
  ["metadata count", 23],
] as const) {
  test(`file refused: a flipped byte in the ${name}`, async ({ launch }) => {
    test.skip(IS_FAKE && offset > 0, SKIPS.fake);
    const chat = await launch("chromium");
    await chat.open({ device: "cpu", model: `${TINY}?flip=${String(offset)}` });
    expect(["bad_file", "truncated_file"]).toContain((await chat.waitError(60_000)).code);
  });
}

test("a template that never ends is stopped, and another model can be loaded", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const chat = await launch("chromium");
  await chat.open({ device: "cpu", max_tokens: 4 });
  await chat.tab.setFile("#file", file("endless.gguf", endlessTemplate()));
  await chat.waitReady();
  await chat.send("Hi, 42!");
  const error = await chat.waitError(60_000);
  expect(error.code).toBe("template_error");
  expect(error.hint).not.toBe("");
  await chat.clickButton("Choose another model");
  await chat.tab.setFile("#file", goldenFile("tiny/tiny_llama.gguf"));
  await chat.waitReady();
  await chat.ask("Hi, 42!");
});

test("a model file chosen from the disk runs", async ({ launch }) => {
  const chat = await launch("chromium");
  await chat.open({ device: "cpu", max_tokens: 4 });
  await chat.tab.setFile("#file", goldenFile("tiny/tiny_llama.gguf"));
  await chat.waitReady();
  await chat.ask("Hi, 42!");
});

/** When the requested prefix is too short, the core requests twice as much, which here exceeds the file. */
test("a file is inspected whose length nobody tells and whose header ends behind its middle", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const chat = await launch("chromium");
  await chat.open();
  const report = await chat.tab.evaluate(
    async (arg) => {
      const { inspectModel } = (await import(arg.url)) as typeof import("hearth-llm");
      const bytes = new Uint8Array(await (await fetch(arg.model)).arrayBuffer());
      const model = new ReadableStream<Uint8Array>({
        start(controller) {
          for (let at = 0; at < bytes.length; at += 100_000) controller.enqueue(bytes.slice(at, at + 100_000));
          controller.close();
        },
      });
      return await inspectModel({ model });
    },
    { url: "/pkg/dist/index.js", model: TINY },
  );
  expect(report.architecture).toBe("llama");
  expect(report.budget).toBeDefined();
});
