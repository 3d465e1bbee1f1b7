/** One model shared by two tabs of a browser: loaded once, and an answer outlives the tab that had the model. */
import { BASE_URL, IS_FAKE, TINY } from "../../support/env.js";
import { SKIPS } from "../../support/skips.js";
import type { Tab } from "../../support/tab.js";
import { expect, test } from "../../support/test.js";

type Shared = typeof import("hearth-llm/shared");

interface Globals {
  shared: Awaited<ReturnType<Shared["SharedEngine"]["create"]>>;
}

/** Tokens of an answer, which fill the tiny model's context. */
const COUNT = 240;
/** Name of a channel of the test's own, on which the follower asks for the leader's end. */
const CLOSE = "close";

/** Creates the engine in a tab and returns its role, and how long that took. */
async function join(tab: Tab): Promise<{ role: string; ms: number }> {
  await tab.goto(BASE_URL);
  return await tab.evaluate(
    async ({ url, model, channel }) => {
      const { SharedEngine } = (await import(url)) as Shared;
      const begun = performance.now();
      const shared = await SharedEngine.create({ model, device: "cpu", threads: 1 });
      Object.assign(globalThis, { shared });
      new BroadcastChannel(channel).onmessage = () => {
        if (shared.role === "leader") location.replace("about:blank");
      };
      return { role: shared.role, ms: performance.now() - begun };
    },
    { url: `${BASE_URL}pkg/dist/shared/index.js`, model: new URL(TINY, BASE_URL).href, channel: CLOSE },
  );
}

/** Streams an answer in a tab; after `closeAfter` chunks with tokens, the leader's page goes away. */
function answer(tab: Tab, closeAfter: number): Promise<{ ids: number[]; after: number; role: string }> {
  return tab.evaluate(
    async ({ count, closeAfter, channel }) => {
      const { shared } = globalThis as unknown as Globals;
      const close = new BroadcastChannel(channel);
      const stream = await shared.completions.create({
        prompt: "Hi",
        seed: 7,
        // Enough that a page is gone before its engine has answered.
        n: 4,
        max_tokens: count,
        stream: true,
        return_token_ids: true,
      });
      const ids: number[] = [];
      let chunks = 0;
      // Number of tokens that came after the leader had changed.
      let after = 0;
      for await (const chunk of stream) {
        const found = chunk.choices[0]?.token_ids ?? [];
        ids.push(...found);
        if (shared.role === "leader") after += found.length;
        if (found.length > 0 && ++chunks === closeAfter) close.postMessage("now");
      }
      close.close();
      return { ids, after, role: shared.role };
    },
    { count: COUNT, closeAfter, channel: CLOSE },
  );
}

for (const browser of ["chromium", "firefox"] as const) {
  test(`two tabs share a model, and one that closes costs no token · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const { tab: second } = await launch(browser);
    const first = await second.another();
    expect((await join(first)).role).toBe("leader");
    const joined = await join(second);
    expect(joined.role).toBe("follower");
    console.log(`the second tab was ready after ${joined.ms.toFixed(0)} ms`);
    const whole = await answer(second, 0);
    expect(whole).toMatchObject({ after: 0, role: "follower" });
    const [ids, ended] = [whole.ids, await answer(second, 5)];
    expect(ended.ids).toEqual(ids);
    expect(ended.role).toBe("leader");
    expect(ended.after).toBeGreaterThan(0);
    // The page that was the leader's joins again, as a follower.
    expect((await join(first)).role).toBe("follower");
    expect((await answer(first, 0)).ids).toEqual(ids);
    await first.close();
  });
}
