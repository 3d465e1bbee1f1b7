// Asks a running server through `hearth-llm/remote`, and prints what was seen as lines of JSON: for the servers that are
// run by hand before a release. The package must have been built.
//
//   node tests/peers/ask.mjs http://127.0.0.1:18000/v1 [GGUF [NAME]]
//
// With a GGUF file of the model, its greedy ids or texts are compared with those of this package on the CPU. NAME is the
// model's name, for a server that does not list its models.
import { performance } from "node:perf_hooks";
import { Engine } from "../../pkg/dist/node/index.js";
import { Remote } from "../../pkg/dist/remote/index.js";

const [baseURL, file, name] = process.argv.slice(2);
if (baseURL === undefined) throw new Error("expected the address of a server's API, such as http://127.0.0.1:18000/v1");

const QUESTIONS = [
  "Name three rivers.",
  "What is a hearth?",
  "Count from one to ten.",
  "Why is the sky blue?",
  "Translate to French: good morning.",
  "Write a haiku about rain.",
  "What is 12 times 12?",
  "Who wrote Hamlet?",
  "List four fruits.",
  "Explain gravity to a child.",
];
const GREEDY = { temperature: 0, max_tokens: 24 };

/** Prints what was seen, or how it failed. */
async function see(what, work) {
  const start = performance.now();
  const seen = await work().catch(({ code, message, hint }) => ({ failed: code ?? "no code", message, hint }));
  console.log(JSON.stringify({ what, ...seen, ms: Math.round(performance.now() - start) }));
}

const messagesOf = (content) => [{ role: "user", content }];
const remote = await Remote.connect({ baseURL, ...(name === undefined ? {} : { model: name }) });
const { kind, contextSize, model } = remote;
console.log(JSON.stringify({ what: "connected", kind, contextSize, model: model.name }));

await see("whole", async () => {
  const { choices, usage } = await remote.chat.completions.create({ messages: messagesOf(QUESTIONS[0]), ...GREEDY });
  return { text: choices[0].message.content, finish: choices[0].finish_reason, usage };
});

await see("streamed", async () => {
  const stream = await remote.chat.completions.create({
    messages: messagesOf(QUESTIONS[0]),
    ...GREEDY,
    stream: true,
    stream_options: { include_usage: true },
  });
  let [text, chunks, usage] = ["", 0];
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage ?? usage;
    chunks++;
  }
  return { text, chunks, usage };
});

await see("continued", async () => {
  const messages = [...messagesOf(QUESTIONS[0]), { role: "assistant", content: "Three rivers are the" }];
  const request = { messages, ...GREEDY, max_tokens: 6, continue_final_message: true };
  const { choices } = await remote.chat.completions.create(request);
  return { text: choices[0].message.content };
});

await see("a schema", async () => {
  const json = { type: "object", properties: { rivers: { type: "integer" } }, required: ["rivers"] };
  const request = { messages: messagesOf(QUESTIONS[0]), ...GREEDY, max_tokens: 32, structured_outputs: { json } };
  const { choices } = await remote.chat.completions.create(request);
  return { text: choices[0].message.content };
});

await see("log-probabilities", async () => {
  const request = { messages: messagesOf(QUESTIONS[0]), ...GREEDY, max_tokens: 2, logprobs: true, top_logprobs: 2 };
  const { choices } = await remote.chat.completions.create(request);
  return { content: choices[0].logprobs?.content };
});

await see("too long", async () => {
  await remote.chat.completions.create({ messages: messagesOf("word ".repeat(5000)), ...GREEDY });
  return { accepted: true };
});

await see("aborted", async () => {
  const stop = new AbortController();
  const request = { messages: messagesOf(QUESTIONS[9]), stream: true, max_tokens: 500 };
  const stream = await remote.chat.completions.create(request, { signal: stop.signal });
  let chunks = 0;
  let stopped = 0;
  try {
    for await (const chunk of stream) {
      if ((chunk.choices[0]?.delta.content ?? "") !== "") chunks++;
      if (chunks === 3) {
        stopped = performance.now();
        stop.abort();
      }
    }
  } catch ({ code }) {
    return { code, chunks, after_ms: Math.round(performance.now() - stopped) };
  }
  return { ended: true, chunks };
});

if (file !== undefined) {
  const engine = await Engine.create({ model: file, device: "cpu" });
  let [sameIds, sameTexts, sameStarts] = [0, 0, 0];
  for (const question of QUESTIONS) {
    await see(`as the engine: ${question}`, async () => {
      const request = { messages: messagesOf(question), ...GREEDY, return_token_ids: kind === "vllm" };
      const [there, here] = await Promise.all([
        remote.chat.completions.create(request),
        engine.chat.completions.create({ ...request, return_token_ids: true }),
      ]);
      const ids = there.choices[0].token_ids;
      const own = here.choices[0].token_ids.slice(0, ids?.length);
      if (ids !== undefined && ids.length > 0 && own.every((id, i) => id === ids[i])) sameIds++;
      const [text, ours] = [there, here].map(({ choices }) => choices[0].message.content ?? "");
      if (text === ours) sameTexts++;
      if (text.slice(0, 40) === ours.slice(0, 40)) sameStarts++;
      return { text, ...(text === ours ? {} : { here: ours }) };
    });
  }
  console.log(JSON.stringify({ what: "compared", of: QUESTIONS.length, sameIds, sameTexts, sameStarts }));
  engine.dispose();
}
remote.dispose();
