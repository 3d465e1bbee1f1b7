/**
 * Compares Hearth with wllama (llama.cpp in WebAssembly): the same file, prompts and browser, in turns; one JSON line
 * per case.
 */
import { BASE_URL, SMOLLM2 } from "../support/env.js";
import { test, type BrowserName } from "../support/test.js";

interface Job {
  engine: "hearth" | "wllama";
  model: string;
  device: "cpu" | "webgpu";
  threads: number;
  tokens: number;
  /** Starts the prompt, so that no run finds another's in a cache. */
  nonce: string;
}

interface Result {
  name: string;
  threads: number;
  load_ms: number;
  prefill_ms: number;
  decode_tok_s: number;
  text: string;
}

const ROUNDS = Number(process.env.HEARTH_BENCH_ROUNDS ?? 3);
const CASES: { browser: BrowserName; device: Job["device"]; threads: number; tokens: number }[] = [
  { browser: "chromium", device: "cpu", threads: 1, tokens: 64 },
  { browser: "chromium", device: "cpu", threads: 2, tokens: 64 },
  { browser: "firefox", device: "cpu", threads: 1, tokens: 64 },
  { browser: "firefox", device: "cpu", threads: 2, tokens: 64 },
];

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

for (const { browser, device, threads, tokens } of CASES) {
  test(`${browser} ${device} ${String(threads)}`, async ({ launch }) => {
    const results: Record<Job["engine"], Result[]> = { hearth: [], wllama: [] };
    for (let round = 0; round < ROUNDS; round++) {
      for (const engine of ["hearth", "wllama"] as const) {
        const chat = await launch(browser, { alone: true });
        await chat.tab.goto(`${BASE_URL}tests/e2e/bench/peers.html`);
        const job: Job = { engine, model: SMOLLM2, device, threads, tokens, nonce: `Run ${String(round)}.` };
        const result = await chat.tab.evaluate(
          (job) => (window as unknown as { measure: (job: Job) => Promise<Result> }).measure(job),
          job,
        );
        results[engine].push(result);
        await chat.tab.close();
      }
    }
    const of = (engine: Job["engine"], field: "decode_tok_s" | "prefill_ms" | "load_ms"): number =>
      median(results[engine].map((result) => result[field]));
    const peer = results.wllama[0];
    console.log(
      JSON.stringify({
        case: `peers/smollm2-q4_1/${browser}/${device}/${String(threads)}`,
        peer: peer?.name,
        peer_threads: peer?.threads,
        hearth_decode_tok_s: of("hearth", "decode_tok_s"),
        peer_decode_tok_s: of("wllama", "decode_tok_s"),
        decode_ratio: of("hearth", "decode_tok_s") / of("wllama", "decode_tok_s"),
        hearth_prefill_ms: of("hearth", "prefill_ms"),
        peer_prefill_ms: of("wllama", "prefill_ms"),
        prefill_ratio: of("wllama", "prefill_ms") / of("hearth", "prefill_ms"),
        load_ratio: of("wllama", "load_ms") / of("hearth", "load_ms"),
        same_text: results.hearth[0]?.text === peer?.text,
        runs: results,
      }),
    );
  });
}
