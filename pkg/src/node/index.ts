/**
 * OpenAI's API over HTTP, for Node, Deno and Bun, and all of `hearth-llm`:
 *
 * ```ts
 * import { Engine, serve } from "hearth-llm/node";
 *
 * const engine = await Engine.create({ model: "models/qwen3-0.6b-q8_0.gguf" });
 * const { url, close } = await serve(engine, { port: 8080 });
 * ```
 */
export * from "./main.js";
export { serve, type ServeOptions, type Serving } from "./serve.js";
