/** SmolLM2 in the page's engine: time to load, time to the first token, speed, and what a token costs the GPU. */
import type { PageGlobals } from "../support/chat.js";
import { HAS_SMOLLM2, SMOLLM2 } from "../support/env.js";
import type { Row } from "../support/table-reporter.js";
import { test, type BrowserName } from "../support/test.js";

const TOKENS = 48;
const RUNS = 3;
const PROMPT =
  "Write a short text about how a fireplace warms a house in winter, and what it was used for in old times.";

const SETUPS: { browser: BrowserName; params: Record<string, string> }[] = [
  { browser: "chromium", params: {} },
  { browser: "chromium", params: { limits: "default", features: "none" } },
  { browser: "chromium", params: { device: "cpu" } },
  { browser: "firefox", params: {} },
  { browser: "firefox", params: { device: "cpu" } },
];

interface Run {
  firstMs: number;
  decodeMs: number;
  prompt: number;
  cached: number;
  tokens: number;
  /** Counters of the engine that this run added, by token of the answer. */
  perToken: Record<string, number>;
}

for (const { browser, params } of SETUPS) {
  const setup = Object.entries(params).map(([name, value]) => `${name}=${value}`);
  test([browser, ...setup].join(" "), async ({ launch }, info) => {
    test.skip(!HAS_SMOLLM2, "the model is not at hand (HEARTH_SMOLLM2 is not set)");
    const chat = await launch(browser);
    const start = performance.now();
    await chat.load(SMOLLM2, params);
    const loadMs = performance.now() - start;
    const heap = (await chat.stats()).heap_bytes ?? 0;
    const runs: Run[] = [];
    // Each run has a prompt of its own, so that none of it is in the cache; the first one warms up.
    for (let index = 0; index <= RUNS; index++)
      runs.push(await chat.tab.evaluate(run, { index, tokens: TOKENS, prompt: PROMPT }));
    const best = runs.slice(1).sort((a, b) => a.decodeMs - b.decodeMs)[0];
    if (best === undefined) throw new Error("no run");
    const device = await chat.device();
    const row: Row = {
      Browser: browser,
      Device: device.name || [device.vendor, device.architecture].filter(Boolean).join(" ") || device.kind,
      Options: setup.join(" ") || "all features",
      "Load s": (loadMs / 1000).toFixed(1),
      "Wasm heap MiB": (heap / 2 ** 20).toFixed(0),
      "Prefill tok/s": ((best.prompt - best.cached) / (best.firstMs / 1000)).toFixed(1),
      "First token ms": best.firstMs.toFixed(0),
      "Decode tok/s": (((best.tokens - 1) * 1000) / best.decodeMs).toFixed(2),
      "Dispatches/token": (best.perToken.dispatches ?? 0).toFixed(1),
      "Submits/token": (best.perToken.submits ?? 0).toFixed(2),
      "Bytes back/token": (best.perToken.bytes_read ?? 0).toFixed(1),
    };
    await info.attach("row", { body: JSON.stringify(row), contentType: "application/json" });
  });
}

/** Runs in the page. */
async function run({ index, tokens, prompt }: { index: number; tokens: number; prompt: string }): Promise<Run> {
  const { engine } = (globalThis as unknown as PageGlobals).hearth;
  if (engine === undefined) throw new Error("the page has no engine");
  const before = await engine.stats();
  const start = performance.now();
  let first = 0;
  let usage = { prompt_tokens: 0, completion_tokens: 0, prompt_tokens_details: { cached_tokens: 0 } };
  const stream = await engine.chat.completions.create({
    messages: [
      { role: "system", content: `Run ${String(index)}.` },
      { role: "user", content: prompt },
    ],
    max_tokens: tokens,
    temperature: 0,
    stream: true,
    return_token_ids: true,
    stream_options: { include_usage: true },
  });
  for await (const chunk of stream) {
    if (first === 0 && (chunk.choices[0]?.token_ids?.length ?? 0) > 0) first = performance.now();
    usage = chunk.usage ?? usage;
  }
  const end = performance.now();
  const after = await engine.stats();
  const count = Math.max(usage.completion_tokens, 1);
  const perToken: Record<string, number> = {};
  for (const name of Object.keys(after)) perToken[name] = ((after[name] ?? 0) - (before[name] ?? 0)) / count;
  return {
    firstMs: first - start,
    decodeMs: end - first,
    prompt: usage.prompt_tokens,
    cached: usage.prompt_tokens_details.cached_tokens,
    tokens: count,
    perToken,
  };
}
