import { Engine } from "hearth-llm";
import { install, promptApi } from "hearth-llm/prompt-api";

const LanguageModel = promptApi({
  open: (options) => Engine.create({ model: "Qwen/Qwen3-0.6B-GGUF", ...options }),
});
await install(LanguageModel); // where the browser has none of its own

const session = await LanguageModel.create({
  initialPrompts: [{ role: "system", content: "Be brief." }],
  monitor: (target) => {
    target.addEventListener("downloadprogress", (event) => {
      console.log((event as ProgressEvent).loaded);
    });
  },
});
for await (const text of session.promptStreaming("Name three rivers.")) console.log(text);
