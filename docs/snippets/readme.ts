import { Engine } from "hearth-llm";

const engine = await Engine.create({ model: "Qwen/Qwen3-0.6B-GGUF" });
const stream = await engine.chat.completions.create({
  messages: [{ role: "user", content: "Name three rivers." }],
  stream: true,
});
for await (const chunk of stream) console.log(chunk.choices[0]?.delta.content ?? "");
