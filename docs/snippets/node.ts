import { Engine } from "hearth-llm";

const engine = await Engine.create({ model: "models/qwen3-0.6b-q8_0.gguf" });
const stream = await engine.chat.completions.create({
  messages: [{ role: "user", content: "Name three rivers." }],
  stream: true,
});
for await (const { choices } of stream) process.stdout.write(choices[0]?.delta.content ?? "");
engine.dispose(); // ends its threads, without which the process would stay
