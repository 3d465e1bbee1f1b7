/** Backends whose output a test dictates. */
import type { Backend, ChatCompletionChunk } from "hearth-llm";

/** Returns a backend that streams what `say` is given, in answer to whichever request is the first to wait for it. */
export function spokenBackend(): {
  backend: Backend;
  say: (content: string) => void;
  end: () => void;
} {
  let wake = (): void => undefined;
  const waiting: ChatCompletionChunk[] = [];
  const put = (content: string, finish_reason: "stop" | null): void => {
    waiting.push(chunkOf(content, finish_reason));
    wake();
  };
  async function* chunks(signal: AbortSignal): AsyncGenerator<ChatCompletionChunk> {
    signal.addEventListener("abort", () => {
      wake();
    });
    for (;;) {
      signal.throwIfAborted();
      const next = waiting.shift();
      if (next === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      yield next;
      if (next.choices[0]?.finish_reason === "stop") return;
    }
  }
  return {
    backend: backendOf((_, signal) => chunks(signal)),
    say: (content) => {
      put(content, null);
    },
    end: () => {
      put("", "stop");
    },
  };
}

type Stream = (question: string, signal: AbortSignal) => AsyncIterable<ChatCompletionChunk>;

/** Returns a backend that only streams chats, as one far away does: it knows no device. */
export function backendOf(stream: Stream, name = "Slow"): Backend {
  const refuse = (): Promise<never> => Promise.reject(new Error("the page does not ask for this"));
  return {
    model: { name },
    capabilities: {
      completions: false,
      embeddings: false,
      formats: false,
      tools: false,
      logprobs: false,
      continuation: true,
      tokenIds: false,
    },
    closed: new Promise(() => undefined),
    chat: refuse,
    streamChat: ({ messages }, { signal }) => {
      const content = messages.at(-1)?.content;
      return Promise.resolve(stream(typeof content === "string" ? content : "", signal));
    },
    complete: refuse,
    streamCompletion: refuse,
    embed: refuse,
    dispose: () => undefined,
  };
}

export function chunkOf(content: string, finish_reason: "stop" | null = null): ChatCompletionChunk {
  const head = { id: "chatcmpl-0", object: "chat.completion.chunk" as const, created: 0, model: "Slow" };
  return { ...head, choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason }] };
}
