/** Tests of the `timings` of answers, which have the names of llama.cpp's server. */
import { expect, it, vi } from "vitest";
import type { Timings } from "../src/index.js";
import { Stopwatch } from "../src/answer/timings.js";
import type { TokenDelta } from "../src/core/wasm-contract.js";
import { ask, collect, create, useFakeCore } from "./engine-support.js";

useFakeCore();

const NAMES = [
  ...["cache_n", "prompt_n", "prompt_ms", "prompt_per_token_ms", "prompt_per_second"],
  ...["predicted_n", "predicted_ms", "predicted_per_token_ms", "predicted_per_second"],
];

function step(ids: number[], made: number, finish_reason: TokenDelta["finish_reason"] = null): TokenDelta {
  const usage = {
    prompt_tokens: 12,
    completion_tokens: made,
    total_tokens: 12 + made,
    prompt_tokens_details: { cached_tokens: 2 },
    completion_tokens_details: { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
  };
  return {
    text: "",
    ids,
    logprobs: [],
    in_thoughts: false,
    phase: "decode",
    prompt_read: 12,
    looked: 1,
    finish_reason,
    usage,
  };
}

it("the first token's time is the prompt's, and only what comes after it is divided by its time", () => {
  const now = vi.spyOn(performance, "now").mockReturnValue(1000);
  const watch = new Stopwatch();
  const at = (ms: number, next: TokenDelta): void => {
    now.mockReturnValue(ms);
    watch.take(next);
  };
  for (const begin of [1000, 5000]) {
    now.mockReturnValue(begin);
    watch.begin();
    at(begin + 50, step([], 0));
    at(begin + 100, step([7], 1));
    at(begin + 200, step([8, 9], 3));
    // The token that ends an answer is counted but not delivered.
    at(begin + 300, step([1], 5, "stop"));
  }
  expect(watch.timings()).toEqual({
    cache_n: 4,
    prompt_n: 20,
    prompt_ms: 200,
    prompt_per_token_ms: 10,
    prompt_per_second: 100,
    predicted_n: 10,
    predicted_ms: 400,
    predicted_per_token_ms: 50,
    predicted_per_second: 20,
  });
});

it("an answer of one token has no rate that is infinite", () => {
  const watch = new Stopwatch();
  watch.begin();
  watch.take(step([1], 1, "length"));
  const numbers = Object.values(watch.timings()) as number[];
  expect(numbers.every(Number.isFinite)).toBe(true);
  expect(watch.timings()).toMatchObject({ predicted_n: 1, predicted_ms: 0, predicted_per_second: 0 });
});

it("whole answers and the last chunk of streams carry them", async () => {
  const engine = await create();
  const asked = { ...ask("!echo one two three"), n: 2 };
  const { timings, usage } = await engine.chat.completions.create(asked);
  expect(Object.keys(timings ?? {})).toEqual(NAMES);
  expect(timings?.predicted_n).toBe(usage.completion_tokens);
  const text = await engine.completions.create({ prompt: "!echo one" });
  expect(text.timings?.predicted_n).toBe(1);
  for (const include_usage of [false, true]) {
    const stream_options = { include_usage };
    const chats = await collect(await engine.chat.completions.create({ ...asked, stream: true, stream_options }));
    const texts: { timings?: Timings }[] = [];
    const stream = await engine.completions.create({ prompt: ["a", "b"], stream: true, stream_options });
    for await (const chunk of stream) texts.push(chunk);
    for (const chunks of [chats, texts]) {
      expect(chunks.flatMap(({ timings }, at) => (timings === undefined ? [] : [at]))).toEqual([chunks.length - 1]);
      expect(chunks.at(-1)?.timings?.predicted_n).toBeGreaterThan(1);
    }
  }
});
