/** Safetensors, in a folder or as files that were chosen together, give the reference's greedy ids in both browsers. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { ChatCompletionMessageParam } from "hearth";
import { goldenFile, IS_FAKE, readGolden } from "../support/env.js";
import { expect, test } from "../support/test.js";

interface Golden {
  prompts: { messages?: ChatCompletionMessageParam[]; greedy_ids: number[] }[];
}

const FOLDERS = [
  "hf_qwen2",
  "hf_qwen3",
  "hf_llama3",
  "hf_gemma2",
  "hf_gemma3",
  "hf_phi3",
  "hf_olmo2",
  "hf_granite",
  "hf_ministral3",
  "hf_mistral3",
  "hf_gemma3_seeing",
  "hf_smollm3",
  "hf_mixtral",
  "hf_qwen3moe",
  "hf_qwen2_yarn",
  "hf_gpt2",
  "hf_gpt_oss",
  "hf_gpt_oss_mxfp4",
];

/** `<|endoftext|>` and `<|im_end|>`, where an answer ends and the reference goes on. */
const END_OF_ANSWER = [0, 2];
/** Gemma's `<eos>` and `<end_of_turn>`. */
const GEMMA_END = [1, 6];

function expected(name: string): { messages: ChatCompletionMessageParam[]; ids: number[]; n: number } {
  const { prompts } = readGolden(`${name}.json`) as Golden;
  const { messages = [], greedy_ids } = prompts[0] ?? { greedy_ids: [] };
  const ends = name.includes("gemma") ? GEMMA_END : END_OF_ANSWER;
  const end = greedy_ids.findIndex((id) => ends.includes(id));
  return { messages, ids: end < 0 ? greedy_ids : greedy_ids.slice(0, end), n: greedy_ids.length };
}

for (const browser of ["chromium", "firefox"] as const) {
  test(`safetensors · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, "the fake core has no ids");
    const chat = await launch(browser);
    test.setTimeout(600_000);
    for (const name of FOLDERS) {
      await chat.load(`/tests/goldens/data/${name}/`, { context: "256" });
      const { messages, ids, n } = expected(name);
      expect(await chat.greedyIds(messages, n), name).toEqual(ids);
    }
    // Made smaller on the way: it answers, and is smaller.
    await chat.load("/tests/goldens/data/hf_llama3/", { context: "256", quantize: "q8" });
    expect((await chat.greedyIds(expected("hf_llama3").messages, 8)).length).toBeGreaterThan(0);
  });
}

test("safetensors chosen as files · chromium", async ({ launch }) => {
  test.skip(IS_FAKE, "the fake core has no ids");
  const chat = await launch("chromium");
  const folder = goldenFile("hf_llama3");
  await chat.open({ context: 256 });
  await chat.tab.setFile("#file", ...readdirSync(folder).map((name) => join(folder, name)));
  await chat.waitReady();
  const { messages, ids, n } = expected("hf_llama3");
  expect(await chat.greedyIds(messages, n)).toEqual(ids);
});
