// Runs one engine in a separate page: ours through the package, or wllama, on the same file with the same prompts.
// Timed as a page sees it: the first chunk of text, and the chunks after it.
const ms = () => performance.now();
const CONTEXT = 1024;
const user = (content) => [{ role: "user", content }];

const engines = {
  async hearth({ model, device, threads }) {
    const { Engine } = await import("/pkg/dist/index.js");
    const engine = await Engine.create({ model, device, contextSize: CONTEXT, threads });
    return {
      name: `hearth ${engine.version}`,
      threads: engine.device.threads ?? 1,
      stream: (prompt, max_tokens) =>
        engine.chat.completions.create({ messages: user(prompt), max_tokens, temperature: 0, stream: true }),
      dispose: () => engine.dispose(),
    };
  },
  async wllama({ model, device, threads }) {
    const { Wllama } = await import("/wllama/index.js");
    const wllama = new Wllama({ default: "/wllama/wasm/wllama.wasm" }, { suppressNativeLog: true });
    const blob = await (await fetch(model)).blob();
    const n_gpu_layers = device === "webgpu" ? 999 : 0;
    await wllama.loadModel([blob], { n_ctx: CONTEXT, n_threads: threads, n_gpu_layers, warmup: true });
    return {
      name: `wllama (${Wllama.getLibllamaVersion()})`,
      threads: wllama.getNumThreads(),
      stream: (prompt, max_tokens) =>
        wllama.createChatCompletion({ messages: user(prompt), max_tokens, temperature: 0, stream: true }),
      dispose: () => wllama.exit(),
    };
  },
};

/** Returns the milliseconds to the first text, and the chunks per second after it. */
async function run(engine, prompt, max_tokens) {
  const start = ms();
  let first = 0;
  let chunks = 0;
  let text = "";
  for await (const chunk of await engine.stream(prompt, max_tokens)) {
    const piece = chunk.choices[0]?.delta?.content ?? "";
    if (piece === "") continue;
    if (first === 0) first = ms();
    chunks += 1;
    text += piece;
  }
  return { ttft_ms: first - start, decode_tok_s: ((chunks - 1) * 1000) / (ms() - first), chunks, text };
}

globalThis.measure = async (job) => {
  const start = ms();
  const engine = await engines[job.engine](job);
  const load_ms = ms() - start;
  try {
    const words = "the quick brown fox jumps over the lazy dog and runs along the river ";
    const long = await run(engine, `${job.nonce} ${words.repeat(9)}`, 1);
    const short = await run(engine, "Once upon a time there was a fox who", job.tokens);
    return { name: engine.name, threads: engine.threads, load_ms, prefill_ms: long.ttft_ms, ...short };
  } finally {
    await engine.dispose();
  }
};
