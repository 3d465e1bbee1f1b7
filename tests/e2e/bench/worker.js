// Drives the core without the package's queueing and messages, so that what is measured is the core.
import { installGpuShims } from "/pkg/dist/gpu-shims.js";
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

/** Milliseconds to the first token, and tokens a second after it. */
async function run(engine, prompt, tokens) {
  const start = ms();
  const generation = engine.generate({ prompt, max_tokens: tokens, temperature: 0 });
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
  return { ttft_ms: first - start, decode, usage: step.usage };
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
    // Prompts of about so many tokens, none of which begins like another; then the same again, which is in the cache.
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
