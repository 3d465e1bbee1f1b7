/** The leftovers of engines that have ended, and how soon engines fall silent. */
import type { Chat, PageGlobals } from "../../support/chat.js";
import { HAS_SMOLLM2, IS_FAKE, SMOLLM2, TINY } from "../../support/env.js";
import { FULL, oneBrowser } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

interface Package {
  Engine: typeof import("hearth-llm").Engine;
}

/** Creates and disposes engines, some of them in the middle of an answer. */
function comeAndGo(chat: Chat, count: number): Promise<void> {
  return chat.tab.evaluate(
    async (arg) => {
      const { Engine } = (await import(arg.url)) as Package;
      const messages = [{ role: "user" as const, content: "Hi" }];
      for (let i = 0; i < arg.count; i++) {
        const engine = await Engine.create({ model: arg.model, device: "cpu", cache: "no-store" });
        if (i % 3 > 0) {
          const stream = await engine.chat.completions.create({ messages, stream: true, max_tokens: 20 });
          const answer = (async () => {
            for await (const chunk of stream) if (i % 3 === 1 && chunk.choices[0]?.delta.content) return;
          })();
          if (i % 3 === 1) await answer;
          else answer.catch(() => undefined);
        }
        engine.dispose();
      }
    },
    { url: "/pkg/dist/index.js", model: TINY, count },
  );
}

const N_ENGINES = FULL ? 200 : 60;

test(`${String(N_ENGINES)} engines come and go without growth of the page's heap`, async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  test.setTimeout(600_000);
  const chat = await launch("chromium", { alone: true });
  await chat.open();
  const heap = async (): Promise<number> => {
    // Workers end some time after they are told to.
    await expect.poll(() => chat.tab.workers?.(), { timeout: 60_000 }).toBe(0);
    return (await chat.tab.heapBytes?.()) ?? 0;
  };
  await comeAndGo(chat, 20);
  const before = await heap();
  await comeAndGo(chat, N_ENGINES - 20);
  const grown = (await heap()) - before;
  console.log(`heap: ${String(before)} bytes after 20 engines, ${String(grown)} more after ${String(N_ENGINES)}`);
  // An engine's own objects take some 10 kB, so 40 leaked ones would take five times this limit; compilers keep 30 kB.
  expect(grown).toBeLessThan(80_000);
});

for (const browser of oneBrowser("firefox")) {
  test(`a load of SmolLM2 can be stopped in each phase · ${browser}`, async ({ launch }) => {
    test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
    test.setTimeout(300_000);
    const chat = await launch(browser);
    await chat.open();
    const stopped = await chat.tab.evaluate(
      async (arg) => {
        const { Engine } = (await import(arg.url)) as Package;
        const found: Record<string, { code: string; ms: number }> = {};
        for (const phase of ["begin", "download", "weights", "compile"]) {
          const controller = new AbortController();
          let at = 0;
          const stop = (): void => {
            at ||= performance.now();
            controller.abort();
          };
          if (phase === "begin") setTimeout(stop, 20);
          const code = await Engine.create({
            model: arg.model,
            signal: controller.signal,
            onProgress: (progress) => {
              if (progress.phase === phase) stop();
            },
          }).then(
            (engine) => {
              engine.dispose();
              return "loaded";
            },
            (error: unknown) => (error as { code: string }).code,
          );
          found[phase] = { code, ms: performance.now() - at };
        }
        // The stopped request does not block the next one.
        const engine = await Engine.create({ model: arg.model });
        engine.dispose();
        return found;
      },
      { url: "/pkg/dist/index.js", model: SMOLLM2 },
    );
    console.log(JSON.stringify(stopped));
    expect(Object.values(stopped).map(({ code }) => code)).toEqual(Array.from({ length: 4 }, () => "cancelled"));
    for (const { ms } of Object.values(stopped)) expect(ms).toBeLessThan(1000);
  });
}

/**
 * Number of readings of the counters after an abort, and how many of them may still find the engine at work: on the
 * step, or the chunk, already begun.
 */
const LOOKS = 8;
const LOOKS_AT_WORK = 2;

interface Silence {
  phase: string;
  /** Milliseconds until the caller's request was rejected. */
  rejected: number;
  /** Kernel launches so far, at each reading. */
  launches: number[];
}

for (const { browser, device } of [
  { browser: "firefox", device: "webgpu" },
  { browser: "chromium", device: "cpu" },
] as const) {
  test(`SmolLM2 falls silent soon after an abort · ${browser}, ${device}`, async ({ launch }) => {
    test.skip(!HAS_SMOLLM2, SKIPS.SmolLM2);
    test.setTimeout(600_000);
    const chat = await launch(browser, { alone: true });
    await chat.load(SMOLLM2, { device, context: 1024 });
    const { busy, silences } = await chat.tab.evaluate(async (looks) => {
      const { engine } = (globalThis as unknown as PageGlobals).hearth;
      if (engine === undefined) throw new Error("the page has no engine");
      /**
       * Reads the counters, which are reported between two steps, so that each reading of a working engine finds
       * another count.
       */
      const look = async (): Promise<number[]> => {
        const launches: number[] = [];
        for (let i = 0; i < looks; i++) {
          launches.push((await engine.stats()).dispatches);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        return launches;
      };
      const silences: Silence[] = [];
      let busy: number[] = [];
      for (const phase of ["prefill", "decode"]) {
        for (let i = 0; i < 5; i++) {
          const controller = new AbortController();
          const words =
            phase === "prefill" ? `${String(i)} lorem ipsum dolor sit amet `.repeat(55) : `Count to ${String(i)}00.`;
          const messages = [{ role: "user" as const, content: words }];
          const stream = await engine.chat.completions.create(
            // (no end of its own: it may come before a fast machine is asked to stop)
            { messages, stream: true, temperature: 0, logit_bias: { "0": -100, "2": -100 } },
            { signal: controller.signal },
          );
          let start = 0;
          let isAborted = false;
          const abort = (): void => {
            if (isAborted) return;
            isAborted = true;
            start = performance.now();
            controller.abort();
          };
          const reading = (async () => {
            let hasBegun = false;
            for await (const chunk of stream) {
              if (!chunk.choices[0]?.delta.content || phase === "prefill" || hasBegun) continue;
              hasBegun = true;
              if (i > 0) setTimeout(abort, 30 * i);
              else {
                void look().then((launches) => {
                  busy = launches;
                  abort();
                });
              }
            }
          })();
          if (phase === "prefill") setTimeout(abort, 100 + 70 * i);
          const code = await reading.then(
            () => "none",
            (error: unknown) => (error as { code: string }).code,
          );
          if (code !== "cancelled") throw new Error(`the answer ended before it was stopped: ${code}`);
          const rejected = performance.now() - start;
          silences.push({ phase, rejected, launches: await look() });
        }
      }
      return { busy, silences };
    }, LOOKS);
    console.log(JSON.stringify({ busy, silences }));
    // The readings if the engine kept working: all different.
    expect(new Set(busy).size).toBe(LOOKS);
    expect(silences).toHaveLength(10);
    for (const { rejected, launches } of silences) {
      expect(new Set(launches.slice(LOOKS_AT_WORK)).size, JSON.stringify(launches)).toBe(1);
      // The caller's request is rejected at once, whatever the device is doing.
      expect(rejected).toBeLessThan(1000);
    }
    expect((await chat.greedyIds([{ role: "user", content: "Hi" }], 4)).length).toBe(4);
  });
}
