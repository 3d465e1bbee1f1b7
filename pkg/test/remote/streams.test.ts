/** Streams of servers, recorded and written by hand (`fixtures/remote/README.md`), however they are cut. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ChatCompletionChunk, Completion } from "../../src/index.js";
import { Remote } from "../../src/remote/index.js";
import type { ServerKind } from "../../src/remote/servers.js";
import { EventSplitter, eventsOf } from "../../src/remote/sse.js";
import { random } from "./random.js";
import { delta, events, LlmServer, stream } from "./server.js";

const folder = join(import.meta.dirname, "../fixtures/remote");
const bytesOf = (name: string): Uint8Array => readFileSync(join(folder, `${name}.sse`));
const ALL = [
  "llamacpp-chat",
  "llamacpp-continued",
  "llamacpp-text",
  "llamacpp-two",
  "llamacpp-logprobs",
  "llamacpp-unicode",
  "vllm-recorded",
  "vllm-chat",
  "vllm-tools",
  "ray-recorded",
  "ray-chat",
  "transformers-recorded",
  "transformers-chat",
  "ollama-tools",
];

async function dataOf(pieces: Uint8Array[]): Promise<string[]> {
  const found: string[] = [];
  const left = [...pieces];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const piece = left.shift();
      if (piece === undefined) controller.close();
      else controller.enqueue(piece);
    },
  });
  for await (const { data } of eventsOf(body, () => undefined)) found.push(data);
  return found;
}

describe("server-sent events", () => {
  it.each(ALL)("of %s are the same however they are cut", async (name) => {
    const bytes = bytesOf(name);
    const whole = await dataOf([bytes]);
    expect(whole.length).toBeGreaterThan(2);
    for (const data of whole) if (data !== "[DONE]") expect(JSON.parse(data)).toHaveProperty("choices");
    const draw = random(7);
    for (let round = 0; round < 100; round++) {
      const places = Array.from({ length: 10 }, () => Math.floor(draw() * bytes.length)).sort((a, b) => a - b);
      const cuts = [0, ...places, bytes.length];
      const pieces = cuts.slice(1).map((to, at) => bytes.subarray(cuts[at], to));
      expect(await dataOf(pieces)).toEqual(whole);
    }
    const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
    expect(await dataOf(single)).toEqual(whole);
  });

  const read = (text: string): string[] => {
    const splitter = new EventSplitter();
    const found = Array.from(text).flatMap((piece) => splitter.feed(piece));
    const end = splitter.end();
    return [...found, ...(end === undefined ? [] : [end])].map(({ data, isCut }) => (isCut ? `${data}|` : data));
  };

  it.each([
    ["ends of lines of every kind", "data: a\r\n\r\ndata: b\n\ndata: c\r\r", ["a", "b", "c"]],
    ["lines of one event that end with both", "data: a\r\ndata: b\r\n\r\n", ["a\nb"]],
    ["comments and other fields", ": ping\n\nevent: x\nid: 1\nretry: 5\ndata:a\n\n", ["a"]],
    ["several lines of data", "data: a\ndata:  b\ndata\n\n", ["a\n b\n"]],
    ["a byte order mark", "\uFEFFdata: a\n\n", ["a"]],
    ["a last event without its blank line", "data: a\n\ndata: b\n", ["a", "b|"]],
    ["half an event", 'data: a\n\ndata: {"b', ["a", '{"b|']],
    ["llama.cpp's older errors", 'error: {"message": "no"}\n\n', ['{"message": "no"}']],
    ["nothing", "", []],
  ])("have %s", (_, text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  it("cannot fill the memory with one line", () => {
    const splitter = new EventSplitter();
    const megabyte = "x".repeat(2 ** 20);
    const feed = (): void => {
      for (let i = 0; i < 20; i++) splitter.feed(megabyte);
    };
    expect(feed).toThrow(/more than 16777216 characters/);
  });
});

const server = new LlmServer();
beforeAll(() => server.listen());
afterAll(() => {
  server.close();
});
beforeEach(() => {
  server.asked.length = 0;
});

const messages = [{ role: "user" as const, content: "Name three rivers." }];

async function chunksOf(name: string, kind: ServerKind, params: object = {}): Promise<ChatCompletionChunk[]> {
  server.answers["chat/completions"] = stream(bytesOf(name));
  const remote = await Remote.connect({ baseURL: server.address, model: "m", kind });
  const found: ChatCompletionChunk[] = [];
  for await (const chunk of await remote.chat.completions.create({ messages, stream: true, ...params })) {
    found.push(chunk);
  }
  remote.dispose();
  return found;
}

/** Returns what callers see of a stream. */
function seen(chunks: readonly ChatCompletionChunk[]): object {
  const choices = chunks.flatMap((chunk) => chunk.choices);
  const calls: { name?: string; arguments: string }[] = [];
  for (const { index, function: named } of choices.flatMap(({ delta }) => delta.tool_calls ?? [])) {
    calls[index] ??= { arguments: "" };
    if (named.name !== undefined) calls[index].name = named.name;
    calls[index].arguments += named.arguments;
  }
  return {
    content: choices.map(({ delta }) => delta.content ?? "").join(""),
    reasoning: choices.map(({ delta }) => delta.reasoning_content ?? "").join(""),
    end: choices.flatMap(({ finish_reason }) => finish_reason ?? []),
    ...(calls.length > 0 ? { calls } : {}),
  };
}

const RIVERS = { content: "Nil, Dönau, 黄河", reasoning: "", end: ["stop"] };

describe("streams", () => {
  it("of four servers read alike", async () => {
    const thoughts = { ...RIVERS, reasoning: "Rivers. Three." };
    expect(seen(await chunksOf("vllm-chat", "vllm"))).toEqual(thoughts);
    expect(seen(await chunksOf("ray-chat", "ray"))).toEqual(thoughts);
    expect(seen(await chunksOf("transformers-chat", "transformers"))).toEqual(RIVERS);
    expect(seen(await chunksOf("llamacpp-chat", "llama.cpp"))).toEqual({
      content: "1. The River of Life",
      reasoning: "",
      end: ["length"],
    });
  });

  it("of the same model on three servers give the same text", async () => {
    const content =
      "1. The River of Life: This is a beautiful and ancient river that runs through the heart of the Amazon rainforest.";
    for (const kind of ["vllm", "ray", "transformers"] as const) {
      expect(seen(await chunksOf(`${kind}-recorded`, kind)), kind).toEqual({ content, reasoning: "", end: ["length"] });
    }
  });

  it("begin with the role and carry no fields of a server's own", async () => {
    const recorded = ["vllm-recorded", "ray-recorded", "transformers-recorded", "llamacpp-chat"];
    for (const name of [...recorded, "vllm-chat", "transformers-chat"]) {
      const chunks = await chunksOf(name, "vllm");
      expect(chunks[0]?.choices[0]?.delta, name).toEqual({ role: "assistant", content: "" });
      const fields = new Set(chunks.flatMap((chunk) => Object.keys(chunk)));
      for (const field of fields) {
        expect(["id", "created", "model", "served_by", "object", "choices", "timings"]).toContain(field);
      }
      for (const { finish_reason } of chunks.slice(0, -1).flatMap(({ choices }) => choices)) {
        expect(finish_reason).toBeNull();
      }
    }
  });

  it("leave thoughts in the text where that is asked for", async () => {
    const chunks = await chunksOf("ray-chat", "openai", { reasoning_format: null });
    expect(seen(chunks)).toMatchObject({ reasoning: "Rivers. Three." });
    const kept = await chunksOf("ray-chat", "ray", { reasoning_format: "none" });
    expect(seen(kept)).toMatchObject({ content: "<think>\nRivers. Three.</think>\n\nNil, Dönau, 黄河", reasoning: "" });
  });

  it("have their usage in one last chunk, wherever the server puts it", async () => {
    const options = { stream_options: { include_usage: true } };
    for (const name of ["vllm-chat", "ray-chat", "transformers-chat"]) {
      const chunks = await chunksOf(name, "vllm", options);
      expect(chunks.at(-1), name).toMatchObject({
        choices: [],
        usage: {
          prompt_tokens: 34,
          completion_tokens: 4,
          total_tokens: 38,
          prompt_tokens_details: { cached_tokens: 0 },
          completion_tokens_details: { accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
        },
      });
      for (const { usage } of chunks.slice(0, -1)) expect(usage).toBeNull();
      // Without being asked for, there is none.
      expect((await chunksOf(name, "vllm")).filter(({ usage }) => usage !== undefined)).toEqual([]);
    }
    const [chunk] = (await chunksOf("llamacpp-chat", "llama.cpp", options)).slice(-1);
    expect(chunk).toMatchObject({ choices: [], usage: { prompt_tokens: 34 }, timings: { predicted_n: 6 } });
  });

  it("have no usage where the server reports none", async () => {
    const chunks = await chunksOf("vllm-tools", "vllm", { stream_options: { include_usage: true } });
    expect(chunks.every(({ usage }) => usage === null)).toBe(true);
  });

  it("have llama.cpp's usage so far from its timings", async () => {
    const options = { stream_options: { include_usage: true, continuous_usage_stats: true } };
    const chunks = await chunksOf("llamacpp-chat", "llama.cpp", options);
    expect(server.asked.at(-1)?.body).toMatchObject({
      timings_per_token: true,
      stream_options: { include_usage: true },
    });
    expect(chunks.map(({ usage }) => usage?.completion_tokens).filter((n) => n !== undefined)).toEqual([
      1, 2, 3, 4, 5, 6, 6, 6,
    ]);
  });

  it.each(["vllm-tools", "ollama-tools"])("have calls with one index each: %s", async (name) => {
    const chunks = await chunksOf(name, "vllm");
    const found = seen(chunks) as { calls: { name: string; arguments: string }[]; end: string[] };
    expect(found.calls.map(({ name, arguments: given }) => [name, JSON.parse(given) as unknown])).toEqual([
      ["weather", { city: "Köln" }],
      ["now", {}],
    ]);
    expect(found.end).toEqual(["tool_calls"]);
    const heads = chunks.flatMap(({ choices }) => choices).flatMap(({ delta }) => delta.tool_calls ?? []);
    expect(heads.filter(({ id }) => id !== undefined).map(({ index, type }) => [index, type])).toEqual([
      [0, "function"],
      [1, "function"],
    ]);
  });

  it("have the pieces of a call together, where only its id tells them apart", async () => {
    const piece = (id: string, fields: object): object => delta({ tool_calls: [{ id, index: 0, function: fields }] });
    const pieces = [
      piece("a", { name: "weather", arguments: "" }),
      piece("b", { name: "now", arguments: "{" }),
      piece("a", { arguments: "[1]" }),
      piece("b", { arguments: "}" }),
    ];
    server.answers["chat/completions"] = stream(events(...pieces, delta({}, "stop"), "[DONE]"));
    const remote = await Remote.connect({ baseURL: server.address, model: "m", kind: "ollama" });
    const found: ChatCompletionChunk[] = [];
    for await (const chunk of await remote.chat.completions.create({ messages, stream: true })) found.push(chunk);
    expect(seen(found)).toMatchObject({
      calls: [
        { name: "weather", arguments: "[1]" },
        { name: "now", arguments: "{}" },
      ],
    });
  });

  it("have several answers, each with its end", async () => {
    const chunks = await chunksOf("llamacpp-two", "llama.cpp", { n: 2 });
    const choices = chunks.flatMap((chunk) => chunk.choices);
    for (const index of [0, 1]) {
      const own = choices.filter((choice) => choice.index === index);
      expect(own.map(({ delta }) => delta.content ?? "").join("")).toBe("Hello!");
      expect(own.at(-1)?.finish_reason).toBe("length");
    }
  });

  it("that continue a message give the new text", async () => {
    const asked = [...messages, { role: "assistant" as const, content: "Three rivers are the" }];
    const params = { messages: asked, continue_final_message: true };
    expect(seen(await chunksOf("llamacpp-continued", "llama.cpp", params))).toMatchObject({
      content: " Nile River, the",
    });
    expect(server.asked.at(-1)?.body).toMatchObject({ continue_final_message: true, add_generation_prompt: false });
  });

  it("have log-probabilities of chats and texts in OpenAI's shapes", async () => {
    const chat = await chunksOf("llamacpp-logprobs", "llama.cpp", { logprobs: true, top_logprobs: 2 });
    const tokens = chat.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? []);
    expect(tokens.map(({ token }) => token)).toEqual(["1", "."]);
    server.answers.completions = stream(bytesOf("llamacpp-text"));
    const remote = await Remote.connect({ baseURL: server.address, model: "m", kind: "llama.cpp" });
    const found: Completion[] = [];
    const params = {
      prompt: "One two three",
      logprobs: 1,
      stream: true as const,
      stream_options: { include_usage: true },
    };
    for await (const chunk of await remote.completions.create(params)) found.push(chunk);
    const choices = found.flatMap((chunk) => chunk.choices);
    expect(choices.map(({ text }) => text).join("")).toBe("-digit numbers");
    expect(choices.flatMap(({ logprobs }) => logprobs?.text_offset ?? [])).toEqual([0, 1, 6]);
    expect(choices.at(-1)?.finish_reason).toBe("length");
    expect(found.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 3 } });
  });
});
