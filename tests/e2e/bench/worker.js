// Drives the core without the package's queueing and messages, so that only the core is measured.
import { installGpuShims } from "/pkg/dist/worker/gpu-shims.js";
import initGrammar, { Vocabulary } from "/pkg/dist/wasm/grammar.js";
import init, { Device, Loader } from "/pkg/dist/wasm/hearth.js";

const MIB = 1 << 20;
const ms = () => performance.now();

async function load(device, url) {
  const response = await fetch(url);
  const total = Number(response.headers.get("content-length"));
  const loader = new Loader(device, { totalBytes: total, contextSize: 2048 });
  const reader = response.body.getReader();
  let last_ms = ms();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    last_ms = ms();
    for (let at = 0; at < value.length; at += 4 * MIB) await loader.push(value.subarray(at, at + 4 * MIB));
  }
  const engine = await loader.finish();
  return { engine, after_last_byte_ms: ms() - last_ms };
}

/** Returns the milliseconds to the first token, and the tokens per second after it. */
async function run(engine, prompt, tokens, constraint) {
  const start = ms();
  const generation = engine.generate({ prompt, max_tokens: tokens, temperature: 0 }, constraint);
  let first = 0;
  let count = 0;
  let step;
  do {
    step = await generation.next();
    if (step.ids.length > 0 && first === 0) first = ms();
    count += step.ids.length;
  } while (step.finish_reason === null);
  const decode = count > 1 ? ((count - 1) * 1000) / (ms() - first) : 0;
  generation.free();
  return { ttft_ms: first - start, decode, usage: step.usage, all_ms: ms() - start };
}

/** Wraps a grammar and counts the time it takes. */
class Timed {
  spent = 0;
  worst = 0;
  #grammar;

  constructor(grammar) {
    this.#grammar = grammar;
  }

  #time(task) {
    const start = ms();
    const result = task();
    const took = ms() - start;
    this.spent += took;
    this.worst = Math.max(this.worst, took);
    return result;
  }

  allow(bits) {
    return this.#time(() => this.#grammar.allow(bits));
  }

  forced() {
    return this.#time(() => this.#grammar.forced());
  }

  accept(ids) {
    this.#time(() => this.#grammar.accept(ids));
  }
}

const text = { type: "string", minLength: 60, maxLength: 400 };
const number = { type: "integer", minimum: 0, maximum: 999 };
const FORMATS = {
  prose: { regex: "(.|\\n){400,4000}" },
  json_text: { json_schema: { type: "object", properties: { story: text }, required: ["story"] } },
  json_fields: {
    json_schema: {
      type: "array",
      items: {
        type: "object",
        properties: { id: number, kind: { enum: ["animal", "plant"] }, legs: number },
        required: ["id", "kind", "legs"],
        additionalProperties: false,
      },
      minItems: 6,
      maxItems: 6,
    },
  },
};

/** Measures the cost of formats: the module's start, and its share of a constrained answer's time. */
async function structured(engine, tokens) {
  let at = ms();
  await initGrammar();
  const init_ms = ms() - at;
  at = ms();
  const { bytes, lengths, eog } = engine.vocabulary();
  const vocabulary = new Vocabulary(bytes, lengths, eog);
  const result = { init_ms, vocabulary_ms: ms() - at };
  for (const [name, format] of Object.entries(FORMATS)) {
    at = ms();
    const grammar = new Timed(vocabulary.grammar(JSON.stringify(format)));
    const compile_ms = ms() - at;
    const prompt = "Once upon a time there was a fox who";
    const free = await run(engine, prompt, tokens);
    const start = ms();
    const { usage } = await run(engine, prompt, tokens, grammar);
    const n = usage.completion_tokens;
    result[name] = {
      tokens: n,
      compile_ms,
      grammar_ms_per_token: grammar.spent / n,
      grammar_ms_worst: grammar.worst,
      grammar_share: grammar.spent / (ms() - start),
      tok_s: (n * 1000) / (ms() - start),
      free_tok_s: (free.usage.completion_tokens * 1000) / free.all_ms,
    };
  }
  return result;
}

self.onmessage = async ({ data: { kind, url, options, tokens, lengths } }) => {
  try {
    installGpuShims({ subgroups: () => options.features !== "none", onLost: () => undefined });
    let at = ms();
    await init();
    const init_ms = ms() - at;
    at = ms();
    const device = await Device.open(kind, options);
    const open_ms = ms() - at;
    at = ms();
    const { engine, after_last_byte_ms } = await load(device, url);
    const load_ms = ms() - at;
    // A long prompt for prefill; the second run's first words differ, so that nothing of it is cached.
    const words = "the quick brown fox jumps over the lazy dog and runs along the river ";
    const long = await run(engine, "One " + words.repeat(9), 1);
    const short = await run(engine, "Once upon a time there was a fox who", tokens);
    const before = engine.stats();
    const [launch_us, replay_us] = await engine.dispatchCost();
    // Prompts of about n tokens, each with a different beginning; then the same prompt again, which is in the cache.
    const contexts = [];
    for (const n of lengths) {
      const prompt = `${n} ` + words.repeat(Math.round((n - 3) / 14));
      const cold = await run(engine, prompt, 1);
      const hit = await run(engine, prompt, 16);
      const { prompt_tokens } = cold.usage;
      contexts.push({
        prompt_tokens,
        prefill_tok_s: (prompt_tokens * 1000) / cold.ttft_ms,
        ttft_ms: cold.ttft_ms,
        ttft_hit_ms: hit.ttft_ms,
        decode_tok_s: hit.decode,
      });
    }
    postMessage({
      formats: await structured(engine, tokens),
      contexts,
      after_last_byte_ms,
      device: device.info(),
      init_ms,
      open_ms,
      load_ms,
      prefill_tokens: long.usage.prompt_tokens,
      prefill_tok_s: (long.usage.prompt_tokens * 1000) / long.ttft_ms,
      decode_tok_s: short.decode,
      launch_us,
      replay_us,
      heap_mib: before.heap_bytes / MIB,
      dispatches_per_token: before.dispatches_per_token,
      bytes_read: before.bytes_read,
    });
  } catch (error) {
    postMessage({ error: `${error.code ?? ""} ${error.message}` });
  }
};
