/** Server-side rendering: the package can be imported outside a browser, but runs only in one. */
import { canRun, Engine, HearthError } from "hearth-llm";
import * as cache from "hearth-llm/cache";
import { createFetch } from "hearth-llm/openai";

console.log(typeof Engine.create, typeof canRun, typeof createFetch, (await cache.list()).length);
try {
  await Engine.create({ model: "https://example.org/model.gguf" });
} catch (error) {
  console.log(error instanceof HearthError ? error.code : error);
}
