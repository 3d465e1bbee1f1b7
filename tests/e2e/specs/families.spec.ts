/** A tiny model of each family and of every storage type gives the reference's greedy ids in both browsers. */
import type { ChatCompletionMessageParam } from "hearth";
import { familyModel, IS_FAKE, readGolden } from "../support/env.js";
import { expect, test, type BrowserName } from "../support/test.js";

interface Golden {
  prompts: { messages?: ChatCompletionMessageParam[]; greedy_ids: number[] }[];
}

/** `<|endoftext|>` and `<|im_end|>`, where an answer ends and the reference goes on. */
const END_OF_ANSWER = [0, 2];

const MODELS = [
  "llama_kquants",
  "llama_small_quants",
  "llama3",
  "ministral3",
  "qwen2",
  "qwen3",
  "gemma2",
  "gemma3",
  "phi3",
  "olmo2",
  "granite",
  "smollm3",
  "qwen3moe",
  "mixtral",
  "gpt_oss",
  "gpt2",
];

const SETUPS: { name: string; browser: BrowserName; params: Record<string, string> }[] = [
  { name: "Chromium, WebGPU", browser: "chromium", params: {} },
  { name: "Firefox, WebGPU", browser: "firefox", params: {} },
  { name: "Chromium, CPU", browser: "chromium", params: { device: "cpu" } },
];

/** Its tokens are clear of what bytes in the cache cost. */
for (const browser of ["chromium", "firefox"] as const) {
  test(`tiny model with a cache of bytes · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, "the fake core has no ids");
    const chat = await launch(browser);
    await chat.load("/tests/goldens/data/tiny_llama_tied_f16.gguf", { kv: "q8" });
    const { prompts } = readGolden("tiny_llama_tied_f16.json") as Golden;
    const { messages, greedy_ids } = prompts[0] ?? { greedy_ids: [] };
    const end = greedy_ids.findIndex((id) => END_OF_ANSWER.includes(id));
    const ids = await chat.greedyIds(messages ?? [], greedy_ids.length);
    expect(ids).toEqual(end < 0 ? greedy_ids : greedy_ids.slice(0, end));
  });
}

for (const { name, browser, params } of SETUPS) {
  test(`families: greedy ids · ${name}`, async ({ launch }) => {
    test.skip(IS_FAKE, "the fake core has no ids");
    test.setTimeout(600_000);
    const chat = await launch(browser);
    for (const model of MODELS) {
      await chat.load(familyModel(model), { context: "256", ...params });
      const { prompts } = readGolden(`family_${model}.json`) as Golden;
      const { messages, greedy_ids } = prompts[0] ?? { greedy_ids: [] };
      if (messages === undefined) throw new Error(`${model}: the first prompt is a chat`);
      const end = greedy_ids.findIndex((id) => END_OF_ANSWER.includes(id));
      const ids = await chat.greedyIds(messages, greedy_ids.length);
      expect(ids, model).toEqual(end < 0 ? greedy_ids : greedy_ids.slice(0, end));
    }
  });
}
