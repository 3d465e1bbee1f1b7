/** A conversation of several turns, and a text without a template. */
import type { ChatCompletionMessageParam, Engine } from "hearth-llm";

export async function converse(engine: Engine, questions: string[]): Promise<ChatCompletionMessageParam[]> {
  // #region turns
  const messages: ChatCompletionMessageParam[] = [{ role: "system", content: "Be brief." }];
  for (const content of questions) {
    messages.push({ role: "user", content });
    const { choices } = await engine.chat.completions.create({ messages, max_tokens: 256 });
    messages.push({ role: "assistant", content: choices[0]?.message.content ?? "" });
  }
  // #endregion turns
  return messages;
}

export async function resume(engine: Engine, messages: ChatCompletionMessageParam[]): Promise<string> {
  // #region continue
  const { choices } = await engine.chat.completions.create({ messages, continue_final_message: true });
  const rest = choices[0]?.message.content ?? "";
  // #endregion continue
  return rest;
}

export async function withoutTemplate(engine: Engine): Promise<string> {
  // #region text
  const { choices } = await engine.completions.create({ prompt: "Once upon a time", max_tokens: 64, temperature: 0.8 });
  const text = choices[0]?.text ?? "";
  // #endregion text
  return text;
}
