/** An extension's policy allows no import map and no inline script, so the package's files are imported by path. */
import { Engine } from "./node_modules/hearth-llm/dist/index.js";

const status = document.querySelector("#status");
const params = new URLSearchParams(location.search);
try {
  const engine = await Engine.create({
    model: params.get("model") ?? "HuggingFaceTB/SmolLM2-360M-Instruct-GGUF",
    device: params.get("device") ?? "auto",
  });
  status.textContent = "Answering";
  const { choices } = await engine.chat.completions.create({
    messages: [{ role: "user", content: "Hi" }],
    max_tokens: 16,
  });
  document.querySelector("#output").textContent = choices[0].message.content;
  status.textContent = "Done";
} catch (error) {
  status.textContent = String(error);
}
