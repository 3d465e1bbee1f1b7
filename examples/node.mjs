/** Server-side rendering: the package is imported outside a browser, where an app that loads no model runs nothing of it. */
import { canRun, Engine, HearthError } from "hearth-llm";
import * as cache from "hearth-llm/cache";
import { createFetch } from "hearth-llm/openai";

console.log(typeof Engine.create, typeof canRun, typeof createFetch, (await cache.list()).length);
try {
  await Engine.create({ model: "./missing.gguf" });
} catch (error) {
  console.log(error instanceof HearthError ? error.code : error);
}
