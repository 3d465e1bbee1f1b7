import { streamText } from "ai";
import { Engine } from "hearth-llm";
import { createHearth } from "hearth-llm/ai-sdk";

const hearth = createHearth(await Engine.create({ model: "Qwen/Qwen3-0.6B-GGUF" }));
const { textStream } = streamText({ model: hearth(), prompt: "Name three rivers." });
for await (const text of textStream) console.log(text);
