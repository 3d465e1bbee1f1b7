/** A tiny seeded model gives the reference's greedy ids in every browser, on every device, with and without features. */
import type { ChatCompletionMessageParam } from "hearth";
import { IS_FAKE, readGolden, TINY } from "../support/env.js";
import { expect, test, type BrowserName } from "../support/test.js";

interface Golden {
  prompts: {
    name: string;
    messages?: ChatCompletionMessageParam[];
    greedy_ids: number[];
    greedy_eos_at?: number | null;
  }[];
}

/** What a GPU would be measured to want: many threads a row, prefill through workgroup memory. */
const GPU_TIERS = {
  decode_lanes: 16,
  prefill_lanes: 16,
  subgroups: false,
  arithmetic: "f32",
  wide: true,
  macs_per_ms: 1e6,
};
const WITH_SUBGROUPS = { ...GPU_TIERS, subgroups: true };

const SETUPS: { name: string; browser: BrowserName; params: Record<string, string>; kind: string }[] = [
  { name: "Chromium, WebGPU", browser: "chromium", params: {}, kind: "webgpu" },
  {
    name: "Chromium, WebGPU with default limits and no features",
    browser: "chromium",
    params: { limits: "default", features: "none" },
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
    params: { tuning: JSON.stringify(WITH_SUBGROUPS) },
    kind: "webgpu",
  },
  {
    name: "Firefox, WebGPU with a GPU's tiers",
    browser: "firefox",
    params: { tuning: JSON.stringify(GPU_TIERS) },
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

for (const { name, browser, params, kind } of SETUPS) {
  test(`tiny model: greedy ids · ${name}`, async ({ launch }) => {
    const chat = await launch(browser);
    await chat.load(TINY, params);
    const device = await chat.device();
    expect(device.kind).toBe(kind);
    if (params.features === "none") {
      expect(device.features).not.toContain("subgroups");
      expect(device.features).not.toContain("shader-f16");
    }
    if (params.tuning?.includes('"subgroups":true')) expect(device.features).toContain("subgroups");
    test.skip(IS_FAKE, "the fake core has no ids");
    const golden = readGolden("tiny_llama.json") as Golden;
    for (const { messages, greedy_ids, greedy_eos_at } of golden.prompts) {
      if (messages === undefined) continue;
      const expected = greedy_ids.slice(0, greedy_eos_at ?? undefined);
      const ids = await chat.greedyIds(messages, greedy_ids.length);
      expect(ids.slice(0, expected.length)).toEqual(expected);
      // A second time, now that caches and the captured graph are warm.
      expect((await chat.greedyIds(messages, greedy_ids.length)).slice(0, expected.length)).toEqual(expected);
    }
  });
}
