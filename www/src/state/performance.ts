/** Measurements: of answers as they arrive, and of a benchmark on request. */
import { signal } from "@preact/signals";
import { TextCompletions, type Backend, type EngineStats, type FitSpeed, type LocalEngine } from "hearth-llm";
import type { AnswerStats } from "../store/tree.js";

/** Statistics of the answers of the backend that answered last, oldest first. */
const history = signal<{ of: Backend | undefined; answers: readonly AnswerStats[] }>({ of: undefined, answers: [] });

const MOST_KEPT = 100;

export function record(backend: Backend, stats: AnswerStats): void {
  history.value = { of: backend, answers: [...historyOf(backend), stats].slice(-MOST_KEPT) };
}

/** Returns the statistics of this backend's answers, oldest first. */
export function historyOf(backend: Backend): readonly AnswerStats[] {
  const { of, answers } = history.value;
  return of === backend ? answers : [];
}

/** The fastest decode seen with this backend; undefined before the first meaningful measurement. */
export function measuredSpeed(backend: Backend): number | undefined {
  const speeds = historyOf(backend)
    .filter(({ tokens }) => tokens >= 16)
    .map(({ tokensPerSecond }) => tokensPerSecond ?? 0);
  return speeds.length === 0 ? undefined : Math.max(...speeds);
}

/** Counters of the engine that a case reports. */
const COUNTERS = [
  "dispatches",
  "replays",
  "readbacks",
  "bytes_read",
  "draft_steps",
  "drafted",
  "accepted",
] as const satisfies readonly (keyof EngineStats)[];

export interface BenchmarkCase {
  name: "prefill_128" | "prefill_512" | "decode_64";
  tokens: number;
  seconds: number;
  tokens_per_second: number;
  /** Time until the first token of the answer. */
  first_token_seconds: number;
  /** The engine's counters, as far as this run added to them. */
  counts: Pick<EngineStats, (typeof COUNTERS)[number]>;
}

/** The benchmark's result, in a form to share: nothing in it identifies the visitor. */
export interface BenchmarkReport {
  format: "hearth-benchmark";
  version: 3;
  /** Version of the core. */
  hearth: string;
  date: string;
  browser: string;
  /** Class of the device: a graphics card, one that the browser emulates, or the CPU. */
  tier: "gpu" | "emulated" | "cpu";
  device: LocalEngine["device"];
  model: Pick<
    LocalEngine["model"],
    "name" | "architecture" | "parameters" | "weight_bytes" | "kv_type" | "n_ctx" | "quants"
  >;
  cases: BenchmarkCase[];
  /** The decode case next to the cost model's prediction of it; null if it was not measured. */
  decode: {
    tokens_per_second: { measured: number; predicted: number | null };
    /** Launches of a step. */
    launches: { measured: number; predicted: number | null };
    /** The measured speed divided by the predicted one. */
    ratio: number | null;
  } | null;
  /** The whole prediction; null on the CPU and where nothing was predicted. */
  predicted_decode: FitSpeed | null;
  memory: Pick<EngineStats, "gpu_bytes" | "heap_bytes">;
}

const DECODE = { name: "decode_64", prompt: 32, answer: 64 } as const;
/** The cases; a prompt is this long, or as long as the context allows. */
const CASES: { name: BenchmarkCase["name"]; prompt: number; answer: number }[] = [
  { name: "prefill_128", prompt: 128, answer: 1 },
  { name: "prefill_512", prompt: 512, answer: 1 },
  DECODE,
];
/** Counted runs of each case, after a warm-up; the best run counts. */
const ROUNDS = 2;

export async function runBenchmark(
  backend: Backend,
  local: LocalEngine,
  {
    signal,
    onCase,
    predict,
  }: {
    signal: AbortSignal;
    onCase: (found: BenchmarkCase[]) => void;
    /** Predicts the speed with this many positions in use. */
    predict: (positions: number) => Promise<FitSpeed | undefined>;
  },
): Promise<BenchmarkReport> {
  const cases: BenchmarkCase[] = [];
  for (const { name, prompt, answer } of CASES) {
    if (prompt + answer > local.model.n_ctx) continue;
    let best: BenchmarkCase | undefined;
    for (let round = 0; round <= ROUNDS; round++) {
      const text = await promptOf(local, prompt);
      const before = await local.stats();
      const measured = await measure(backend, name, text, answer, signal);
      const found = { ...measured, counts: added(before, await local.stats()) };
      if (round > 0 && (best === undefined || found.tokens_per_second > best.tokens_per_second)) best = found;
    }
    if (best !== undefined) cases.push(best);
    onCase([...cases]);
  }
  // In the middle of the answer. A prediction is a header read again, without which the measurements stand as well.
  const middle = DECODE.prompt + DECODE.answer / 2;
  const predicted = local.device.kind === "webgpu" ? await predict(middle).catch(() => undefined) : undefined;
  const { gpu_bytes, heap_bytes, dispatches_per_token } = await local.stats();
  const { device } = local;
  const { name, architecture, parameters, weight_bytes, kv_type, n_ctx, quants } = local.model;
  return {
    format: "hearth-benchmark",
    version: 3,
    hearth: local.version,
    date: new Date().toISOString(),
    browser: navigator.userAgent,
    tier: device.kind === "cpu" ? "cpu" : device.software ? "emulated" : "gpu",
    device,
    model: { name, architecture, parameters, weight_bytes, kv_type, n_ctx, quants },
    cases,
    decode: sideBySide(
      cases.find(({ name }) => name === DECODE.name),
      dispatches_per_token,
      predicted,
    ),
    predicted_decode: predicted ?? null,
    memory: { gpu_bytes, heap_bytes },
  };
}

function added(before: EngineStats, after: EngineStats): BenchmarkCase["counts"] {
  const entries = COUNTERS.map((name) => [name, after[name] - before[name]] as const);
  return Object.fromEntries(entries) as BenchmarkCase["counts"];
}

function sideBySide(
  measured: BenchmarkCase | undefined,
  launches: number,
  predicted: FitSpeed | undefined,
): BenchmarkReport["decode"] {
  if (measured === undefined) return null;
  const { tokens_per_second: speed } = measured;
  const guess = predicted?.tokens_per_second ?? null;
  return {
    tokens_per_second: { measured: speed, predicted: guess },
    launches: { measured: launches, predicted: predicted?.launches ?? null },
    ratio: guess === null || guess <= 0 ? null : speed / guess,
  };
}

async function measure(
  backend: Backend,
  name: BenchmarkCase["name"],
  prompt: string,
  answer: number,
  signal: AbortSignal,
): Promise<Omit<BenchmarkCase, "counts">> {
  const start = performance.now();
  let first: number | undefined;
  let [last, tokens, firstTokens, computed] = [start, 0, 0, 0];
  const stream = await new TextCompletions(backend).create(
    {
      prompt,
      max_tokens: answer,
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true, continuous_usage_stats: true },
    },
    { signal },
  );
  for await (const { usage } of stream) {
    if (!usage || usage.completion_tokens <= tokens) continue;
    last = performance.now();
    tokens = usage.completion_tokens;
    computed = usage.prompt_tokens - usage.prompt_tokens_details.cached_tokens;
    if (first === undefined) [first, firstTokens] = [last, tokens];
  }
  const toFirst = ((first ?? last) - start) / 1000;
  const isPrefill = answer === 1;
  const seconds = isPrefill ? toFirst : (last - (first ?? last)) / 1000;
  const counted = isPrefill ? computed : tokens - firstTokens;
  return {
    name,
    tokens: counted,
    seconds,
    tokens_per_second: seconds > 0 ? counted / seconds : 0,
    first_token_seconds: toFirst,
  };
}

/** Builds a prompt of about `length` tokens of fresh random words, so that the KV cache cannot help. */
async function promptOf(local: LocalEngine, length: number): Promise<string> {
  const random = crypto.getRandomValues(new Uint32Array(length));
  const words = Array.from(random, (value) => WORDS[value % WORDS.length] ?? "");
  const ids = await local.tokenize(words.join(" "));
  return ids.length <= length ? words.join(" ") : local.detokenize(ids.slice(0, length));
}

const WORDS = "the fire is warm and a house by river has two doors where people meet to talk about bread".split(" ");
