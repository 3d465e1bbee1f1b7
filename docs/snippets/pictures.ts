/** A question about a picture. */
import { Engine } from "hearth-llm";

export async function look(file: File): Promise<string> {
  // #region picture
  const engine = await Engine.create({ model: "ggml-org/SmolVLM2-500M-Video-Instruct-GGUF" }); // its projector is found beside it
  const answer = await engine.chat.completions.create({
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What is on this picture?" },
          { type: "image_url", image_url: { url: file, detail: "low" } },
        ],
      },
    ],
  });
  // #endregion picture
  engine.dispose();
  return answer.choices[0]?.message.content ?? "";
}
