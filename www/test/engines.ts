/** Engines whose output a test dictates. */
import type { ChatCompletionChunk, Engine } from "hearth-llm";

type Chunk = Partial<ChatCompletionChunk>;

export function spokenEngine(): { engine: Engine; say: (content: string) => void; end: () => void } {
  let wake = (): void => undefined;
  const waiting: Chunk[] = [];
  const put = (content: string, finish_reason: "stop" | null): void => {
    waiting.push({ choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason }] });
    wake();
  };
  async function* chunks(): AsyncGenerator<Chunk> {
    for (;;) {
      const next = waiting.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      yield next;
      if (next.choices?.[0]?.finish_reason === "stop") return;
    }
  }
  const create = (): Promise<AsyncGenerator<Chunk>> => Promise.resolve(chunks());
  const engine = { model: { name: "Slow" }, device: { kind: "cpu" }, chat: { completions: { create } } };
  return {
    engine: engine as unknown as Engine,
    say: (content) => {
      put(content, null);
    },
    end: () => {
      put("", "stop");
    },
  };
}
