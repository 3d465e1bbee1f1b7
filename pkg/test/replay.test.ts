import { expect, it } from "vitest";
import { Replay } from "../src/replay.js";
import type { Step } from "../src/wasm-contract.js";

const step = (ids: number[], text: string, finish_reason: Step["finish_reason"] = null): Step => ({
  ids,
  text,
  logprobs: [],
  in_thoughts: false,
  phase: "decode",
  finish_reason,
  usage: {} as Step["usage"],
});

function replayed(second: Step[]): { given: [number[], string][]; check: () => void } {
  const given: [number[], string][] = [];
  const replay = new Replay(({ ids, text }) => given.push([ids, text]));
  const first = replay.attempt();
  for (const each of [step([], ""), step([1, 2], "a b"), step([3], " c")]) first(each);
  const again = replay.attempt();
  for (const each of second) again(each);
  return {
    given: given.slice(3),
    check: () => {
      replay.check();
    },
  };
}

it("gives nothing twice, however the steps are cut", () => {
  const { given, check } = replayed([step([], ""), step([1], "a"), step([2, 3, 4], " b c d"), step([5], " e", "stop")]);
  expect(given).toEqual([
    [[4], " d"],
    [[5], " e"],
  ]);
  check();
});

it("fails when another device says something else, or ends before", () => {
  for (const second of [[step([1, 9], "a x"), step([3], " c")], [step([1, 2], "a b", "stop")]]) {
    const { given, check } = replayed(second);
    expect(given).toEqual([]);
    expect(check).toThrow("another answer");
  }
});
