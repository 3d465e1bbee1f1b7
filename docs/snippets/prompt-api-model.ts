import { Engine } from "hearth-llm";
import { promptApi } from "hearth-llm/prompt-api";

export const LanguageModel = promptApi({
  open: (options) => Engine.create({ model: "Qwen/Qwen3-0.6B-GGUF", ...options }),
});
