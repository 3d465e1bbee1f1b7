/** Answers as they are made, and how they are stopped. */
import { HearthError, type ChatCompletionMessageParam, type Engine } from "hearth-llm";

export async function stream(engine: Engine, messages: ChatCompletionMessageParam[]): Promise<void> {
  // #region stream
  const stream = await engine.chat.completions.create({ messages, stream: true });
  for await (const chunk of stream) console.log(chunk.choices[0]?.delta.content ?? "");
  // #endregion stream
}

export async function stoppable(
  engine: Engine,
  messages: ChatCompletionMessageParam[],
  controller: AbortController,
  show: (text: string) => void,
): Promise<void> {
  // #region stop
  try {
    const stream = await engine.chat.completions.create({ messages, stream: true }, { signal: controller.signal });
    for await (const chunk of stream) show(chunk.choices[0]?.delta.content ?? "");
  } catch (error) {
    if (!(error instanceof HearthError && error.code === "cancelled")) throw error;
  }
  // #endregion stop
}

export async function counted(engine: Engine, messages: ChatCompletionMessageParam[]): Promise<number> {
  let tokens = 0;
  // #region usage
  const stream = await engine.chat.completions.create({
    messages,
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const { choices, usage } of stream) {
    const delta = choices[0]?.delta;
    console.log(delta?.reasoning_content ?? delta?.content ?? "");
    if (usage) tokens = usage.completion_tokens;
  }
  // #endregion usage
  return tokens;
}
