/** Adapters of an engine. */
import { Engine } from "hearth-llm";

export async function adapted(model: string, sql: string, style: File[]): Promise<string | null | undefined> {
  // #region adapters
  const engine = await Engine.create({ model, adapters: [{ name: "sql", source: sql }] });
  await engine.adapters.add({ name: "style", source: style, scale: 0.5 });

  const answer = await engine.chat.completions.create({
    messages: [{ role: "user", content: "All customers of last year" }],
    adapters: [{ name: "sql" }, { name: "style", scale: 0.8 }],
  });
  // #endregion adapters
  return answer.choices[0]?.message.content;
}
