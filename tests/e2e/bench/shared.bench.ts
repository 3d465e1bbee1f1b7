/** Measures a model that two tabs share: when the second tab is ready, and how fast a follower's answers are. */
import { BASE_URL, HAS_SMOLLM2, REAL_OR_TINY } from "../support/env.js";
import type { Tab } from "../support/tab.js";
import { test } from "../support/test.js";

type Shared = typeof import("hearth-llm/shared");

interface Globals {
  shared: Awaited<ReturnType<Shared["SharedEngine"]["create"]>>;
}

const TOKENS = HAS_SMOLLM2 ? 64 : 200;
const ROUNDS = 5;

/** Creates the engine in a tab; returns its role and how long that took. */
async function join(tab: Tab): Promise<{ role: string; ms: number }> {
  await tab.goto(BASE_URL);
  return await tab.evaluate(
    async ({ url, model }) => {
      const { SharedEngine } = (await import(url)) as Shared;
      const begun = performance.now();
      const shared = await SharedEngine.create({ model, device: "cpu", threads: 1 });
      Object.assign(globalThis, { shared });
      return { role: shared.role, ms: performance.now() - begun };
    },
    { url: `${BASE_URL}pkg/dist/shared/index.js`, model: new URL(REAL_OR_TINY, BASE_URL).href },
  );
}

/** Streams an answer in a tab; returns tokens a second from its first token to its last. */
function speed(tab: Tab): Promise<number> {
  return tab.evaluate(async (count) => {
    const { shared } = globalThis as unknown as Globals;
    const request = { prompt: "Hi", seed: 7, max_tokens: count, return_token_ids: true } as const;
    const stream = await shared.completions.create({ ...request, stream: true });
    let [tokens, first, last] = [0, 0, 0];
    for await (const { choices } of stream) {
      const found = choices[0]?.token_ids?.length ?? 0;
      if (found === 0) continue;
      last = performance.now();
      if (first === 0) first = last;
      else tokens += found;
    }
    return (1000 * tokens) / (last - first);
  }, TOKENS);
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0;

for (const browser of ["chromium", "firefox"] as const) {
  test(`shared · ${browser}`, async ({ launch }) => {
    const { tab: second } = await launch(browser, { alone: true });
    const first = await second.another();
    const lead = await join(first);
    const ready: number[] = [];
    for (let round = 0; round < ROUNDS; round++) ready.push((await join(second)).ms);
    const speeds = { leader: [] as number[], follower: [] as number[] };
    // In turns, as other work comes and goes.
    for (let round = 0; round < ROUNDS; round++) {
      speeds.leader.push(await speed(first));
      speeds.follower.push(await speed(second));
    }
    const [leader, follower] = [median(speeds.leader), median(speeds.follower)];
    const name = `shared/${HAS_SMOLLM2 ? "smollm2-q4_1" : "tiny"}/${browser}/cpu`;
    const numbers = { load_ms: lead.ms, second_tab_ms: median(ready), leader, follower, ratio: follower / leader };
    console.log(JSON.stringify({ case: name, ...numbers }));
    await first.close();
  });
}
