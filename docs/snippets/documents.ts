/** Answers from the user's own files. */
import type { ChatCompletionMessageParam } from "hearth-llm";
// #region answer
import { Engine } from "hearth-llm";
import { ask, Library } from "hearth-llm/documents";

export async function answer(file: File, question: string) {
  const embedder = await Engine.create({ model: "sentence-transformers/all-MiniLM-L6-v2" });
  const engine = await Engine.create({ model: "Qwen/Qwen3-0.6B-GGUF" });

  const library = await Library.open({ embedder });
  await library.add(file);
  const stream = await ask(engine, { library, messages: [{ role: "user", content: question }] });
  for await (const chunk of stream) console.log(chunk.choices[0]?.delta.content ?? "");
  return await stream.message(); // { content, annotations, … }
}
// #endregion answer

export async function find(library: Library): Promise<void> {
  // #region search
  const passages = await library.search("what does is_site_local do", { limit: 8 });
  for (const { document, page, headings, text, scores } of passages) {
    console.log(document.name, page, headings, text, scores);
  }
  // #endregion search
}

export async function calls(engine: Engine, library: Library, messages: ChatCompletionMessageParam[]): Promise<void> {
  // #region tool
  const tool = library.tool();
  const { choices } = await engine.chat.completions.create({ messages, tools: [tool.definition] });
  for (const call of choices[0]?.message.tool_calls ?? []) {
    const content = await tool.run(call.function.arguments);
    messages.push({ role: "tool", tool_call_id: call.id, content });
  }
  // #endregion tool
}
