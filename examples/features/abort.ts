/**
 * Stops a load or an answer with a signal; leaving the loop does the same. The text so far stays, and the engine
 * remains usable.
 */
import { HearthError } from "hearth-llm";
import { load, run, say, write } from "./page.js";

run(async () => {
  const controller = new AbortController();
  const engine = await load("HuggingFaceTB/SmolLM2-360M-Instruct-GGUF", { signal: controller.signal });
  say("Answering");
  const stream = await engine.chat.completions.create(
    { messages: [{ role: "user", content: "Count for me." }], temperature: 0, stream: true },
    { signal: controller.signal },
  );
  let text = "";
  try {
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (text.length > 20) controller.abort();
    }
  } catch (error) {
    if (!(error instanceof HearthError) || error.code !== "cancelled") throw error;
    text += " … stopped.";
  }
  const { choices } = await engine.chat.completions.create({
    messages: [{ role: "user", content: "And now?" }],
    max_tokens: 4,
  });
  write(`${text}\n${choices[0]?.message.content ?? ""}`);
});
