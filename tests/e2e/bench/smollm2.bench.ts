/** Measures SmolLM2 in each browser and on each device: load, prefill, decode, cost of a launch, heap. */
import { BASE_URL, SMOLLM2 } from "../support/env.js";
import { test, type BrowserName } from "../support/test.js";

const CASES: {
  browser: BrowserName;
  kind: string;
  tokens: number;
  lengths: number[];
  options?: Record<string, string>;
}[] = [
  { browser: "chromium", kind: "webgpu", tokens: 24, lengths: [16, 128, 512] },
  { browser: "chromium", kind: "cpu", tokens: 64, lengths: [16, 128, 512, 1900] },
  { browser: "firefox", kind: "webgpu", tokens: 48, lengths: [16, 128, 512] },
  { browser: "firefox", kind: "cpu", tokens: 64, lengths: [16, 128, 512, 1900] },
];

for (const { browser, kind, tokens, lengths, options } of CASES) {
  test(`${browser} ${kind}`, async ({ launch }) => {
    const chat = await launch(browser, { alone: true });
    await chat.tab.goto(`${BASE_URL}tests/e2e/bench/page.html`);
    const result = await chat.tab.evaluate(
      (job) =>
        new Promise<Record<string, unknown>>((resolve, reject) => {
          const worker = new Worker("/tests/e2e/bench/worker.js", { type: "module" });
          worker.onmessage = (event: MessageEvent<Record<string, unknown>>) => {
            resolve(event.data);
          };
          worker.onerror = (event) => {
            reject(new Error(event.message));
          };
          worker.postMessage(job);
        }),
      { kind, url: SMOLLM2, options: options ?? {}, tokens, lengths },
    );
    if (typeof result.error === "string") throw new Error(result.error);
    const { contexts, formats, ...rest } = result;
    const name = `smollm2-q4_1/${browser}/${kind}`;
    console.log(JSON.stringify({ case: name, ...rest }));
    const { init_ms, vocabulary_ms, ...answers } = formats as Record<string, object>;
    console.log(JSON.stringify({ case: `${name}/grammar`, init_ms, vocabulary_ms }));
    for (const [format, answer] of Object.entries(answers)) {
      console.log(JSON.stringify({ case: `${name}/grammar/${format}`, ...answer }));
    }
    for (const [i, context] of ((contexts ?? []) as object[]).entries()) {
      console.log(JSON.stringify({ case: `${name}/prompt@${String(lengths[i])}`, ...context }));
    }
  });
}
