/** A large model's cost to the page: its weights go to the GPU, and the core's own memory does not grow with them. */
import type { Engine as EngineClass } from "hearth-llm";
import { BASE_URL, IS_FAKE } from "../../support/env.js";
import { synthetic } from "../../support/synthetic.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

const MIB = 1 << 20;
/** Half of Llama 3.2 1B's layers, so that a software adapter, which uses the machine's memory, holds them easily. */
const SHAPE = { n_layers: 8, d_model: 2048, n_heads: 32, n_kv_heads: 8, d_ff: 8192, vocab: 32_000 };

test("the heap stays under 64 MiB with weights of 290 MiB on the GPU", async ({ launch }) => {
  test.skip(IS_FAKE, SKIPS.fake);
  const chat = await launch("chromium", { alone: true });
  await chat.open();
  const file = synthetic(SHAPE);
  const found = await chat.tab.evaluate(
    async ({ header, total, entry }) => {
      const { Engine } = (await import(entry)) as { Engine: typeof EngineClass };
      let left = total - header.length;
      const zeros = new Uint8Array(1 << 20);
      const model = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(Uint8Array.from(header));
        },
        pull(controller) {
          const n = Math.min(left, zeros.length);
          left -= n;
          if (n > 0) controller.enqueue(zeros.slice(0, n));
          if (left === 0) controller.close();
        },
      });
      const engine = await Engine.create({ model, totalBytes: total, contextSize: 256 });
      const { heap_bytes, gpu_bytes } = await engine.stats();
      const { weight_bytes, kv_bytes } = engine.model;
      engine.dispose();
      return { heap_bytes, weight_bytes, kv_bytes, gpu_bytes };
    },
    { ...file, entry: `${BASE_URL}pkg/dist/index.js` },
  );
  expect(found.weight_bytes).toBeGreaterThan(290 * MIB);
  expect(found.heap_bytes).toBeLessThan(64 * MIB);
  // 20 bytes per block on the device for 18 in the file, plus a step's scratch memory.
  expect(found.gpu_bytes).toBeLessThan(1.05 * found.weight_bytes + found.kv_bytes + 64 * MIB);
});
