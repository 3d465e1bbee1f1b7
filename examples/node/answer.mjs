/** An answer in Node, Deno or Bun: `node answer.mjs MODEL "question"`. */
import { Engine } from "hearth-llm";

const [model = "Qwen/Qwen3-0.6B-GGUF", content = "Name three rivers."] = process.argv.slice(2);
const engine = await Engine.create({ model, onNotice: ({ message }) => console.warn(message) });
const stream = await engine.chat.completions.create({
  messages: [{ role: "user", content }],
  stream: true,
  max_tokens: 100,
});
for await (const { choices } of stream) process.stdout.write(choices[0]?.delta.content ?? "");
process.stdout.write("\n");
// Its threads keep the process running until then.
engine.dispose();
