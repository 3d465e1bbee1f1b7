import { Engine, serve } from "hearth-llm/node";

const engine = await Engine.create({ model: "Qwen/Qwen3-0.6B-GGUF" });
export const server = await serve(engine, { port: Number(process.env.PORT ?? 8080), apiKey: process.env.KEY });
console.log(server.url);
