/** The API on a backend that is no engine: nothing of the worker is loaded, and nothing of an engine is assumed. */
import OpenAI from "openai";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { apiOf, type Api } from "../src/api/api.js";
import type { Backend, BackendOptions } from "../src/backend/backend.js";
import { HearthError } from "../src/core/errors.js";
import { createFetch } from "../src/openai-fetch.js";
import type { ChatCompletionChunk, Completion, CompletionUsage } from "../src/index.js";

const USAGE: CompletionUsage = {
  prompt_tokens: 2,
  completion_tokens: 3,
  total_tokens: 5,
  prompt_tokens_details: { cached_tokens: 0 },
  completion_tokens_details: { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
};
const HEAD = { id: "x-1", created: 7, model: "echo" };

/** Returns the words of the last message or prompt, as a server far away would. */
class EchoBackend implements Backend {
  readonly model = { name: "echo" };
  readonly capabilities = {
    completions: true,
    embeddings: true,
    reranking: false,
    formats: false,
    tools: false,
    logprobs: false,
    continuation: false,
    tokenIds: false,
  };
  readonly closed = new Promise<HearthError>(() => undefined);
  /** Requests as they arrived. */
  readonly received: object[] = [];
  /** Words streamed so far, and streams that were left or ended. */
  words = 0;
  left = 0;
  /** Thrown instead of the next word. */
  fault: Error | undefined;

  chat(params: Parameters<Backend["chat"]>[0]): ReturnType<Backend["chat"]> {
    this.received.push(params);
    const content = textOf(params.messages.at(-1)?.content);
    const message = { role: "assistant" as const, content, refusal: null };
    const choice = { index: 0, message, finish_reason: "stop" as const, logprobs: null };
    return Promise.resolve({ ...HEAD, object: "chat.completion", choices: [choice], usage: USAGE } as never);
  }

  streamChat(
    params: Parameters<Backend["streamChat"]>[0],
    { signal }: BackendOptions,
  ): ReturnType<Backend["streamChat"]> {
    this.received.push(params);
    if (params.messages.length === 0) return Promise.reject(new HearthError("invalid_request", "no messages"));
    return Promise.resolve(
      this.#chunks(textOf(params.messages.at(-1)?.content), signal, (content, finish_reason) => ({
        ...HEAD,
        object: "chat.completion.chunk",
        choices: [{ index: 0, delta: { role: "assistant" as const, content }, finish_reason, logprobs: null }],
      })),
    );
  }

  complete(params: Parameters<Backend["complete"]>[0]): ReturnType<Backend["complete"]> {
    return Promise.resolve(this.#text(textOf(params.prompt), "stop"));
  }

  streamCompletion(
    params: Parameters<Backend["streamCompletion"]>[0],
    { signal }: BackendOptions,
  ): ReturnType<Backend["streamCompletion"]> {
    return Promise.resolve(this.#chunks(textOf(params.prompt), signal, (text, end) => this.#text(text, end)));
  }

  embed({ input }: Parameters<Backend["embed"]>[0]): ReturnType<Backend["embed"]> {
    const data = [input].flat().map((text, index) => ({
      object: "embedding" as const,
      index,
      embedding: [typeof text === "string" ? text.length : 1],
    }));
    return Promise.resolve({ object: "list", data, model: "echo", usage: { prompt_tokens: 1, total_tokens: 1 } });
  }

  rerank(): never {
    throw new HearthError("invalid_request", "it does not rank");
  }

  dispose(): void {
    // It holds nothing.
  }

  #text(text: string, finish_reason: "stop" | null): Completion {
    return { ...HEAD, object: "text_completion", choices: [{ index: 0, text, finish_reason, logprobs: null }] };
  }

  async *#chunks<Chunk>(
    text: string,
    signal: AbortSignal,
    make: (word: string, end: "stop" | null) => Chunk,
  ): AsyncGenerator<Chunk> {
    try {
      for (const word of text.split(/(?<= )/)) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        // As fetch does, which rejects with the signal's reason.
        signal.throwIfAborted();
        if (this.fault !== undefined) throw this.fault;
        this.words++;
        yield make(word, null);
      }
      yield make("", "stop");
    } finally {
      this.left++;
    }
  }
}

const textOf = (content: unknown): string => (typeof content === "string" ? content : "");

let backend: EchoBackend;
let api: Api;
const messages = [{ role: "user" as const, content: "one two three" }];
const contentOf = (chunk: ChatCompletionChunk): string => chunk.choices[0]?.delta.content ?? "";

beforeEach(() => {
  vi.stubGlobal("Worker", undefined);
  backend = new EchoBackend();
  api = apiOf(backend);
});

describe("the API on any backend", () => {
  it("passes requests on without their signal, and answers back as they are", async () => {
    const { signal } = new AbortController();
    const params = { messages, temperature: 0.5, server_field: 1, signal };
    const completion = await api.chat.completions.create(params);
    expect(backend.received).toEqual([{ messages, temperature: 0.5, server_field: 1 }]);
    expect(completion).toMatchObject({ ...HEAD, choices: [{ message: { content: "one two three" } }], usage: USAGE });
  });

  it("streams chats and texts", async () => {
    let chat = "";
    for await (const chunk of await api.chat.completions.create({ messages, stream: true })) chat += contentOf(chunk);
    let text = "";
    for await (const { choices } of await api.completions.create({ prompt: "a b", stream: true })) {
      text += choices[0]?.text ?? "";
    }
    expect([chat, text, backend.left]).toEqual(["one two three", "a b", 2]);
    expect((await api.completions.create({ prompt: "a b" })).choices[0]?.text).toBe("a b");
  });

  it("embeds", async () => {
    const { data } = await api.embeddings.create({ input: ["a", "abc"] });
    expect(data.map(({ embedding }) => embedding)).toEqual([[1], [3]]);
  });

  it("rejects at once what the backend refuses, whole and streamed", async () => {
    await expect(api.chat.completions.create({ messages: [], stream: true })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  it("makes errors of other classes its own", async () => {
    backend.fault = new TypeError("Failed to fetch");
    const stream = await api.chat.completions.create({ messages, stream: true });
    const error: unknown = await stream[Symbol.asyncIterator]()
      .next()
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HearthError);
    expect(error).toMatchObject({ code: "internal_error", cause: backend.fault });
    // The stream has ended with its error.
    expect(await stream[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined });
  });

  it.each(["argument", "field", "the stream's own"])("ends a stream by its signal: %s", async (place) => {
    const controller = new AbortController();
    const params = { messages, stream: true as const, ...(place === "field" ? { signal: controller.signal } : {}) };
    const stream = await api.chat.completions.create(params, place === "argument" ? { signal: controller.signal } : {});
    const run = async (): Promise<void> => {
      for await (const { choices } of stream) {
        expect(choices).toHaveLength(1);
        (place === "the stream's own" ? stream.controller : controller).abort("enough");
      }
    };
    await expect(run()).rejects.toMatchObject({ code: "cancelled", cause: "enough" });
    expect([backend.words, backend.left]).toEqual([1, 1]);
  });

  it("tells the backend that a stream was left", async () => {
    const stream = await api.chat.completions.create({ messages, stream: true });
    for await (const chunk of stream) {
      expect(contentOf(chunk)).toBe("one ");
      break;
    }
    expect([backend.words, backend.left, stream.controller.signal.aborted]).toEqual([1, 1, true]);
  });
});

describe("createFetch on any backend", () => {
  it.each(["directly", "by a function"])("serves OpenAI's client: %s", async (how) => {
    const fetch = createFetch(how === "directly" ? backend : () => backend);
    const client = new OpenAI({ apiKey: "none", baseURL: "https://hearth.invalid/v1", fetch });
    const model = "any";
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["echo"]);
    expect((await client.chat.completions.create({ model, messages })).choices[0]?.message.content).toBe(
      "one two three",
    );
    expect(await client.chat.completions.stream({ model, messages }).finalContent()).toBe("one two three");
    expect((await client.completions.create({ model, prompt: "a b" })).choices[0]?.text).toBe("a b");
    const { data } = await client.embeddings.create({ model, input: "abc", encoding_format: "float" });
    expect(data[0]?.embedding).toEqual([3]);
  });
});

it("nothing of the worker or of an engine is loaded for it", async () => {
  vi.resetModules();
  const loaded: string[] = [];
  for (const path of ["engine.js", "backend/local.js", "backend/rpc.js", "backend/queue.js", "request/request.js"]) {
    vi.doMock(`../src/${path}`, () => {
      loaded.push(path);
      return {};
    });
  }
  await import("../src/api/api.js");
  await import("../src/openai-fetch.js");
  expect(loaded).toEqual([]);
  // The mocks do notice.
  await import("../src/index.js").catch(() => undefined);
  expect(loaded).toContain("engine.js");
  vi.resetModules();
});
