/**
 * A tiny seeded model gives the reference's logits and greedy ids in every browser, on every device, with and without
 * features, with the tuning that the device measures and with the tunings of other devices.
 */
import { IS_FAKE, TINY } from "../../support/env.js";
import { expectGolden } from "../../support/golden.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test, type BrowserName } from "../../support/test.js";
import { LARGE_GPU, LARGE_GPU_WITH_SUBGROUPS } from "../../support/tuning.js";

const SETUPS: { name: string; browser: BrowserName; params: Record<string, string>; kind: string }[] = [
  { name: "Chromium, WebGPU", browser: "chromium", params: {}, kind: "webgpu" },
  {
    name: "Chromium, WebGPU with default limits and no features",
    browser: "chromium",
    params: { limits: "default", features: "none", kv: "f32" },
    kind: "webgpu",
  },
  {
    name: "Chromium, WebGPU with integers and an f32 cache",
    browser: "chromium",
    params: { arithmetic: "i15", kv: "f32" },
    kind: "webgpu",
  },
  {
    name: "Chromium, WebGPU with a GPU's tiers and subgroups",
    browser: "chromium",
    params: { tuning: JSON.stringify(LARGE_GPU_WITH_SUBGROUPS), kv: "f32" },
    kind: "webgpu",
  },
  {
    name: "Firefox, WebGPU with a GPU's tiers",
    browser: "firefox",
    params: { tuning: JSON.stringify(LARGE_GPU) },
    kind: "webgpu",
  },
  { name: "Chromium, WebGPU with drafts", browser: "chromium", params: { drafts: "always" }, kind: "webgpu" },
  {
    name: "Chromium, WebGPU by way of f16",
    browser: "chromium",
    params: { arithmetic: "f16" },
    kind: "webgpu",
  },
  { name: "Chromium, CPU", browser: "chromium", params: { device: "cpu" }, kind: "cpu" },
  {
    name: "Chromium, CPU with drafts",
    browser: "chromium",
    params: { device: "cpu", drafts: "always" },
    kind: "cpu",
  },
  { name: "Firefox, WebGPU", browser: "firefox", params: {}, kind: "webgpu" },
  { name: "Firefox, WebGPU with drafts", browser: "firefox", params: { drafts: "always" }, kind: "webgpu" },
  {
    name: "Firefox, WebGPU with integers and an f32 cache",
    browser: "firefox",
    params: { arithmetic: "i15", kv: "f32" },
    kind: "webgpu",
  },
  { name: "Firefox, WebGPU by way of f16", browser: "firefox", params: { arithmetic: "f16" }, kind: "webgpu" },
  {
    name: "Firefox, WebGPU with default limits and no features",
    browser: "firefox",
    params: { limits: "default", features: "none" },
    kind: "webgpu",
  },
];

/**
 * Returns three times the measured error: for a cache in f16, 16-bit activations, integer products, or exact
 * arithmetic.
 */
function tolerance({ device, arithmetic, kv }: Record<string, string>): number {
  if (device === "cpu") return 1.1e-2;
  if (arithmetic === "f16" || kv !== "f32") return 2.2e-2;
  return arithmetic === "i15" ? 9e-3 : 1e-4;
}

/** Ids to compare with drafts, which need an answer that repeats itself. */
const N_IDS_WITH_DRAFTS = 64;

for (const { name, browser, params, kind } of SETUPS) {
  test(`tiny model is as transformers has it · ${name}`, async ({ launch }) => {
    // SwiftShader takes minutes to compile a GPU's tiers.
    test.setTimeout(400_000);
    const chat = await launch(browser);
    await chat.load(TINY, params);
    const device = await chat.device();
    expect(device.kind).toBe(kind);
    if (params.features === "none") {
      expect(device.features).not.toContain("subgroups");
      expect(device.features).not.toContain("shader-f16");
    }
    if (params.tuning?.includes('"subgroups":true')) expect(device.features).toContain("subgroups");
    test.skip(IS_FAKE, SKIPS.fake);
    const nIds = params.drafts === undefined ? undefined : N_IDS_WITH_DRAFTS;
    await expectGolden(chat, "tiny_llama", tolerance(params), nIds);
  });
}
