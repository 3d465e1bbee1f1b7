/** Backends whose output a test dictates. */
import type { Backend, ChatCompletionChunk, PromptProgress } from "hearth-llm";

/** The answer to one question, as a test dictates it. */
export interface Voice {
  say: (content: string) => void;
  /** Tells how far the question has been read. */
  tell: (progress: PromptProgress) => void;
  end: () => void;
  fail: (error: Error) => void;
}

function voice(): Voice & { stream: (signal: AbortSignal) => AsyncIterable<ChatCompletionChunk> } {
  let wake = (): void => undefined;
  const waiting: (ChatCompletionChunk | Error)[] = [];
  const put = (next: ChatCompletionChunk | Error): void => {
    waiting.push(next);
    wake();
  };
  async function* stream(signal: AbortSignal): AsyncGenerator<ChatCompletionChunk> {
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
      if (next instanceof Error) throw next;
      yield next;
      if (next.choices[0]?.finish_reason === "stop") return;
    }
  }
  return {
    stream,
    say: (content) => {
      put(chunkOf(content));
    },
    tell: (prompt_progress) => {
      put({ ...chunkOf(""), choices: [], prompt_progress });
    },
    end: () => {
      put(chunkOf("", "stop"));
    },
    fail: put,
  };
}

/** Returns a backend that gives the same voice to every question. */
export function spokenBackend(): Voice & { backend: Backend } {
  const { stream, ...one } = voice();
  return { backend: backendOf((_, signal) => stream(signal)), ...one };
}

/** Returns a backend that answers several questions at the same time, each with a voice of its own. */
export function choir(): { backend: Backend; of: (question: string) => Voice } {
  const all = new Map<string, ReturnType<typeof voice>>();
  const of = (question: string): ReturnType<typeof voice> => {
    const found = all.get(question) ?? voice();
    all.set(question, found);
    return found;
  };
  return { backend: backendOf((question, signal) => of(question).stream(signal)), of };
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
      reranking: false,
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
    rerank: refuse,
    dispose: () => undefined,
  };
}

export function chunkOf(content: string, finish_reason: "stop" | null = null): ChatCompletionChunk {
  const head = { id: "chatcmpl-0", object: "chat.completion.chunk" as const, created: 0, model: "Slow" };
  return { ...head, choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason }] };
}
