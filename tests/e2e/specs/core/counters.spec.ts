/** WebGPU calls per token, in Chromium, counted where the core makes them. */
import { IS_FAKE, TINY } from "../../support/env.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";
import type { Engine } from "hearth-llm";

interface Counts {
  buffers: number;
  pipelines: number;
  writes: number;
  submits: number;
}

/** Runs in the worker before the package: counts calls, and reports them to the page on request. */
const COUNTING = `{
  const counts = { buffers: 0, pipelines: 0, writes: 0, submits: 0 };
  const count = (type, name, key) => {
    const call = type.prototype[name];
    type.prototype[name] = function (...args) {
      counts[key] += 1;
      return call.apply(this, args);
    };
  };
  count(GPUDevice, "createBuffer", "buffers");
  count(GPUDevice, "createComputePipeline", "pipelines");
  count(GPUQueue, "writeBuffer", "writes");
  count(GPUQueue, "submit", "submits");
  const channel = new BroadcastChannel("counts");
  // (another worker of the page may weigh a model meanwhile, and has no device)
  channel.onmessage = () => {
    if (counts.pipelines > 0) channel.postMessage(counts);
  };
}
`;

test("a token makes no pipeline, no buffer and no write", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const chat = await launch("chromium", { workerPrelude: COUNTING });
  await chat.load(TINY, { drafts: "off" });
  /** Returns the calls made for an answer of `max_tokens` tokens; its prompt is in the cache. */
  const answer = (max_tokens: number): Promise<Counts & { tokens: number }> =>
    chat.tab.evaluate(async (max_tokens) => {
      const { engine } = (window as unknown as { hearth: { engine: Engine } }).hearth;
      const counts = (): Promise<Counts> =>
        new Promise((resolve) => {
          const channel = new BroadcastChannel("counts");
          channel.onmessage = (event: MessageEvent<Counts>) => {
            channel.close();
            resolve(event.data);
          };
          channel.postMessage("?");
        });
      const before = await counts();
      const { usage } = await engine.chat.completions.create({
        messages: [{ role: "user", content: "Hi, 42!" }],
        max_tokens,
        temperature: 0,
        logit_bias: { "0": -100, "2": -100 },
      });
      const after = await counts();
      return {
        buffers: after.buffers - before.buffers,
        pipelines: after.pipelines - before.pipelines,
        writes: after.writes - before.writes,
        submits: after.submits - before.submits,
        tokens: usage.completion_tokens,
      };
    }, max_tokens);
  await answer(100);
  const [few, many] = [await answer(20), await answer(120)];
  expect(many.tokens - few.tokens).toBe(100);
  expect(many.pipelines).toBe(0);
  expect(many.writes - few.writes).toBe(0);
  expect(many.buffers - few.buffers).toBe(0);
  // At most one submit for the step and one for its read-back.
  expect(many.submits - few.submits).toBeLessThanOrEqual(200);
});
