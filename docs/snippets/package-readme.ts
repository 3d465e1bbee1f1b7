import { Engine } from "hearth-llm";

const engine = await Engine.create({
  model: "Qwen/Qwen3-0.6B-GGUF", // or an address, a File, a Blob, a file handle, a ReadableStream
  onProgress: ({ phase, loaded, total }) => {
    console.log(phase, loaded, total);
  },
});

const stream = await engine.chat.completions.create({
  messages: [{ role: "user", content: "What is a hearth?" }],
  stream: true,
});
for await (const chunk of stream) console.log(chunk.choices[0]?.delta.content ?? "");

engine.dispose();
