/**
 * A tiny model of each family and of every storage type gives the reference's logits and greedy ids. Chromium's shader
 * compiler runs nowhere else, so it runs those whose shaders are all that there are (`native chromium::` checks it), and all
 * of them with `--full`; Firefox's driver and compiler are those of the native tests.
 */
import { readFileSync } from "node:fs";
import { IS_FAKE } from "../../support/env.js";
import { FULL, oneBrowser } from "../../support/full.js";
import type { CoreOptions } from "../../support/core.js";
import { expectGolden, expectLikeGolden } from "../../support/golden.js";
import { goldenNamed, goldensOf, modelAddress, type GoldenEntry } from "../../support/manifest.js";
import { SKIPS } from "../../support/skips.js";
import { test, type BrowserName } from "../../support/test.js";
import { PLAIN_GPU } from "../../support/tuning.js";

/** Epsilon is the same in every shader of a norm, and tested natively. */
const MODELS = goldensOf("family").filter(({ about }) => about !== "epsilon");

interface Setup {
  name: string;
  browser: BrowserName;
  device: CoreOptions;
  models: GoldenEntry[];
}

const CHROMIUM = new Set(
  JSON.parse(readFileSync(new URL("../../support/chromium-families.json", import.meta.url), "utf8")) as string[],
);

const WEBGPU: CoreOptions = { kind: "webgpu", tuning: PLAIN_GPU };

const SETUPS: Setup[] = [
  {
    name: "Chromium, WebGPU",
    browser: "chromium",
    device: WEBGPU,
    models: MODELS.filter(({ name }) => CHROMIUM.has(name)),
  },
  {
    name: "Firefox, WebGPU",
    browser: "firefox",
    device: WEBGPU,
    models: ["family_gemma3", "family_gpt_oss", "family_phi3", "family_gpt2", "family_llama_kquants"].map(goldenNamed),
  },
  // Compared with the native tests, the CPU path differs in the lanes of each storage type, not in the families.
  {
    name: "Chromium, CPU",
    browser: "chromium",
    device: { kind: "cpu" },
    models: [
      "family_llama_kquants",
      "family_llama_small_quants",
      "family_qwen3_few_bits",
      "family_qwen3_one_bit",
      "family_qwen3moe_nvfp4",
      "family_gpt_oss",
    ].map(goldenNamed),
  },
];

/** Returns three times the measured error. */
function tolerance(model: string, { kind }: CoreOptions): number {
  // Scales of K-quants and of NVFP4 are rounded to f16.
  if (model === "family_llama_kquants") return 0.13;
  if (model === "family_qwen3moe_nvfp4") return 0.07;
  // The CPU's activations have 16 bits.
  return kind === "cpu" ? 1e-2 : 1e-4;
}

/** The model's likeliest tokens are further apart than the error of an 8-bit cache. */
for (const browser of oneBrowser("chromium")) {
  test(`tiny model with a cache of bytes · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const chat = await launch(browser);
    await chat.load(modelAddress(goldenNamed("tiny_llama_tied_f16")), { kv: "q8" });
    await expectGolden(chat, "tiny_llama_tied_f16", 1);
  });
}

for (const { name, browser, device, models } of SETUPS) {
  for (const model of MODELS) {
    if (!FULL && !models.includes(model)) continue;
    test(`${model.name} is as transformers has it · ${name}`, async ({ coreOn }) => {
      test.skip(IS_FAKE, SKIPS.fake);
      const core = await coreOn(browser, device);
      await core.load(modelAddress(model));
      await expectLikeGolden(core, model.name, tolerance(model.name, device));
    });
  }
}
