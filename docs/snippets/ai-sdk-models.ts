import { Engine } from "hearth-llm";
import { createHearth } from "hearth-llm/ai-sdk";

export const openai = createHearth(await Engine.create({ model: "Qwen/Qwen3-0.6B-GGUF" }));
