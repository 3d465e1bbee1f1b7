/**
 * Safetensors, in a folder or as files chosen together, give the reference's logits and greedy ids. Reading the tensors
 * is covered by Rust's native tests; these specs cover how the files are found and read.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Chat, PageGlobals } from "../../support/chat.js";
import { goldenFile, IS_FAKE } from "../../support/env.js";
import { inFull } from "../../support/full.js";
import { expectGolden } from "../../support/golden.js";
import { goldenNamed, goldensOf, modelAddress } from "../../support/manifest.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";
import { PLAIN_GPU } from "../../support/tuning.js";

/** An index and two files, MXFP4, and a part of a larger model. */
const FOLDERS = ["hf_llama3", "hf_gpt_oss_mxfp4", "hf_gemma3_seeing"];

const OTHERS = goldensOf("folder")
  .map(({ name }) => name)
  .filter((name) => !FOLDERS.includes(name));

/** Three times the measured error. */
const TOLERANCE = 1e-4;
const PARAMS = { context: "256", kv: "f32", tuning: JSON.stringify(PLAIN_GPU) };

test.beforeEach(() => {
  test.skip(IS_FAKE, SKIPS.fake);
});

for (const browser of ["chromium", "firefox"] as const) {
  for (const name of [...FOLDERS, ...inFull(...OTHERS)]) {
    test(`${name} is as transformers has it · ${browser}`, async ({ launch }) => {
      const chat = await launch(browser);
      await chat.load(modelAddress(goldenNamed(name)), PARAMS);
      await expectGolden(chat, name, TOLERANCE);
    });
  }
}

function weightBytes(chat: Chat): Promise<number> {
  return chat.tab.evaluate(() => (globalThis as unknown as PageGlobals).hearth.engine?.model.weight_bytes ?? NaN, null);
}

test("floats are made smaller at load, and say nearly the same", async ({ launch }) => {
  const chat = await launch("chromium");
  const folder = modelAddress(goldenNamed("hf_llama3"));
  await chat.load(folder, { ...PARAMS, device: "cpu" });
  const floats = await weightBytes(chat);
  for (const [quantize, share] of [
    ["q4", 0.16],
    ["q8", 0.29],
  ] as const) {
    await chat.load(folder, { ...PARAMS, device: "cpu", quantize });
    // 20 and 36 bytes instead of 128.
    expect(await weightBytes(chat), quantize).toBeLessThan(share * floats);
    expect(await weightBytes(chat), quantize).toBeGreaterThan(0.5 * share * floats);
  }
  // The loss from 8-bit blocks, on log-probabilities down to -11; 4-bit blocks lose most of so small a model.
  await expectGolden(chat, "hf_llama3", 1, 0);
});

test("safetensors chosen as files · chromium", async ({ launch }) => {
  const chat = await launch("chromium");
  const folder = goldenFile("folders/hf_llama3");
  await chat.open(PARAMS);
  await chat.tab.setFile("#file", ...readdirSync(folder).map((name) => join(folder, name)));
  await chat.waitReady();
  await expectGolden(chat, "hf_llama3", TOLERANCE);
});
