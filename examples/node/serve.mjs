/** An OpenAI server in a program of your own: `node serve.mjs MODEL`. The command `npx hearth-llm serve MODEL` does the same. */
import { Engine, serve } from "hearth-llm/node";

const [model = "Qwen/Qwen3-0.6B-GGUF"] = process.argv.slice(2);
const engine = await Engine.create({ model });
const { url, close } = await serve(engine, { port: Number(process.env.PORT ?? 8080) });
console.log(`OpenAI's API at ${url}`);
process.once("SIGINT", async () => {
  await close();
  engine.dispose();
});
