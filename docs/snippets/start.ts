import { Engine } from "hearth-llm";

const engine = await Engine.create({ model: "Qwen/Qwen3-0.6B-GGUF" });
const messages = [{ role: "user" as const, content: "Name three rivers." }];
const { choices } = await engine.chat.completions.create({ messages });
console.log(choices[0]?.message.content);
