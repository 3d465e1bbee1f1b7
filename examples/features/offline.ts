/** Uses a model without a network once it has been fetched; the cached files can be listed and deleted. */
import * as cache from "hearth-llm/cache";
import { load, run, say, write } from "./page.js";

run(async () => {
  // Without this a browser that runs out of space may clear the site's data.
  const isPersistent = await cache.persist();
  const engine = await load("HuggingFaceTB/SmolLM2-360M-Instruct-GGUF");
  say("Answering");
  const { choices } = await engine.chat.completions.create({
    messages: [{ role: "user", content: "Hi" }],
    max_tokens: 8,
  });
  const files = await cache.list();
  const lines = files.map(({ url, bytes }) => `${new URL(url).pathname}: ${String(bytes)} bytes`);
  write([`persistent: ${String(isPersistent)}`, ...lines, choices[0]?.message.content ?? ""].join("\n"));
});
