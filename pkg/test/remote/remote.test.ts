/** A model on a server: what is sent, to whom, and how its answers are read. */
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { createFetch } from "../../src/openai-fetch.js";
import { Remote } from "../../src/remote/index.js";
import type { ServerKind } from "../../src/remote/servers.js";
import { events, json, MODELS, stream } from "./server.js";
import { ANSWER, CHAT, connect, failure, KEY, messages, read, server, useServer, WHOLE } from "./support.js";

useServer();

describe("connecting", () => {
  it.each<[ServerKind, object, number | undefined]>([
    ["llama.cpp", { owned_by: "llamacpp", meta: { n_ctx: 1024, n_ctx_train: 8192 } }, 1024],
    ["vllm", { owned_by: "vllm", max_model_len: 2048 }, 2048],
    ["ray", { owned_by: "organization-owner", metadata: { max_request_context_length: 4096 } }, 4096],
    ["ollama", { owned_by: "library" }, undefined],
    ["lmstudio", { owned_by: "organization_owner" }, undefined],
    ["openai", { owned_by: "openai" }, undefined],
  ])("tells %s by its list of models", async (kind, facts, contextSize) => {
    server.answers.models = json({ object: "list", data: [{ id: "m", object: "model", ...facts }] });
    const remote = await connect();
    expect([remote.kind, remote.contextSize, remote.model.name]).toEqual([kind, contextSize, "m"]);
    expect(await remote.models()).toEqual(["m"]);
  });

  it("lists a server's models for a choice, with the key", async () => {
    server.answers.models = json({ object: "list", data: [{ id: "a" }, { id: "b" }] });
    expect(await Remote.list({ baseURL: server.address, apiKey: KEY })).toEqual(["a", "b"]);
    expect(server.asked.map(({ url, headers }) => [url, headers.authorization])).toEqual([
      ["/v1/models", `Bearer ${KEY}`],
    ]);
  });

  it("never takes another model than the one that is named", async () => {
    const data = [{ id: "small" }, { id: "llama3:latest" }, { id: "aliased", aliases: ["short"] }];
    server.answers.models = json({ object: "list", data });
    expect((await connect({ model: "llama3" })).model.name).toBe("llama3:latest");
    expect((await connect({ model: "short" })).model.name).toBe("aliased");
    const error = await failure(connect({ model: "large" }));
    expect([error.code, error.hint]).toEqual(["remote_model", "It has small, llama3:latest, aliased."]);
    expect((await connect({ model: "large", lenient: true })).model.name).toBe("large");
    expect((await failure(connect())).hint).toBe("Name one of them: small, llama3:latest, aliased.");
    server.answers.models = json({ object: "list", data: null });
    expect((await failure(connect())).code).toBe("remote_model");
  });

  it("goes on without a list where the model is named", async () => {
    server.answers.models = json({ detail: "offline" }, 500);
    expect((await failure(connect())).code).toBe("remote_error");
    const remote = await connect({ model: "m", kind: "transformers" });
    expect((await remote.chat.completions.create({ messages })).choices[0]?.message.content).toBe("hello");
  });

  it.each(["ftp://a/v1", "http://user:pw@localhost/v1", "http://localhost/v1?key=1", "nonsense"])(
    "refuses the address %s",
    async (baseURL) => {
      const error = await failure(Remote.connect({ baseURL }));
      expect(error.code).toBe("invalid_request");
      expect(error.message).not.toContain("pw");
    },
  );
});

describe("requests", () => {
  it("carry the key in a header and nothing else that was not asked for", async () => {
    const remote = await connect({ apiKey: KEY, headers: { "X-Team": "a" }, extra: { lora: 1 } });
    await remote.chat.completions.create({ messages, max_completion_tokens: 5, enable_thinking: false, user: "u" });
    const [, asked] = server.asked;
    expect(asked?.headers).toMatchObject({ authorization: `Bearer ${KEY}`, "x-team": "a" });
    expect(asked?.headers.cookie ?? asked?.headers.referer).toBeUndefined();
    expect(asked?.url).not.toContain(KEY);
    expect(asked?.body).toEqual({
      model: "m",
      messages,
      max_tokens: 5,
      chat_template_kwargs: { enable_thinking: false },
      user: "u",
      lora: 1,
    });
  });

  it("reads a whole answer, and says where it was made", async () => {
    const remote = await connect();
    const answer = await remote.chat.completions.create({ messages });
    expect(answer.served_by).toEqual({ where: "server", server: new URL(server.address).host, model: "m" });
    expect(answer.choices).toEqual([
      {
        index: 0,
        message: { role: "assistant", content: "hello", refusal: null },
        finish_reason: "stop",
        logprobs: null,
      },
    ]);
    expect(answer.usage.prompt_tokens_details).toEqual({ cached_tokens: 0 });
    server.answers[CHAT] = stream(events(...ANSWER, "[DONE]"));
    for await (const { served_by } of await remote.chat.completions.create({ messages, stream: true })) {
      expect(served_by?.where).toBe("server");
    }
  });

  it.each<[ServerKind, object, object | string]>([
    ["llama.cpp", { repetition_penalty: 1.1, top_k: 5 }, { repeat_penalty: 1.1, top_k: 5 }],
    ["llama.cpp", { structured_outputs: { regex: "a" } }, "structured_outputs"],
    ["llama.cpp", { return_token_ids: true }, "return_token_ids"],
    ["llama.cpp", { context_shift: true }, "context_shift"],
    ["vllm", { structured_outputs: { regex: "a" } }, { structured_outputs: { regex: "a" } }],
    ["vllm", { typical_p: 0.5 }, "typical_p"],
    ["ray", { return_token_ids: true }, { return_token_ids: true }],
    ["transformers", { response_format: { type: "json_object" } }, "response_format"],
    ["ollama", { parallel_tool_calls: false }, "parallel_tool_calls"],
    ["ollama", { logit_bias: { 1: 1 } }, "logit_bias"],
    ["openai", { top_k: 5 }, "top_k"],
    ["openai", { max_completion_tokens: 5 }, { max_completion_tokens: 5 }],
    ["openai", { n: 1, top_k: 0, context_shift: false, temperature: null, id_slot: 3 }, { n: 1 }],
    [
      "openai",
      { structured_outputs: { json: '{"type":"object"}' } },
      {
        response_format: {
          type: "json_schema",
          json_schema: { name: "answer", schema: { type: "object" }, strict: true },
        },
      },
    ],
    ["openai", { temprature: 0 }, "temprature"],
    ["vllm", { extra: { bad_words: ["x"] } }, { bad_words: ["x"] }],
  ])("of %s: %j", async (kind, params, expected) => {
    const remote = await connect({ kind });
    const asked = remote.chat.completions.create({ messages, ...params });
    if (typeof expected === "string") {
      const error = await failure(asked);
      expect([error.code, server.count(CHAT)]).toEqual(["unsupported_by_server", 0]);
      expect(error.message).toContain(`${kind} has no ${expected}`);
      const lenient = await connect({ kind, lenient: true });
      await lenient.chat.completions.create({ messages, ...params });
      expect(server.asked.at(-1)?.body).toEqual({ model: "m", messages });
    } else {
      await asked;
      expect(server.asked.at(-1)?.body).toEqual({ model: "m", messages, ...expected });
    }
  });

  it("that llama.cpp would answer otherwise than an engine are refused", async () => {
    const remote = await connect({ kind: "llama.cpp" });
    const asked = [...messages, { role: "assistant" as const, content: "I" }];
    expect((await failure(remote.chat.completions.create({ messages: asked }))).code).toBe("unsupported_by_server");
    expect((await failure(remote.chat.completions.create({ messages: [] }))).code).toBe("invalid_request");
    const choice = { index: 0, message: { role: "assistant", content: "I am" }, finish_reason: "stop" };
    server.answers[CHAT] = json({ ...WHOLE, choices: [choice] });
    const answer = await remote.chat.completions.create({ messages: asked, continue_final_message: true });
    expect(answer.choices[0]?.message.content).toBe(" am");
  });

  it("have messages as the server reads them", async () => {
    const asked = [
      { role: "developer" as const, content: "be brief" },
      { role: "assistant" as const, content: "a", reasoning_content: "b" },
      ...messages,
    ];
    await (await connect({ kind: "vllm" })).chat.completions.create({ messages: asked });
    expect(server.asked.at(-1)?.body.messages).toEqual([{ role: "system", content: "be brief" }, ...asked.slice(1)]);
    await (await connect({ kind: "openai" })).chat.completions.create({ messages: asked });
    const plain = { role: "assistant", content: "a" };
    expect(server.asked.at(-1)?.body.messages).toEqual([asked[0], plain, ...messages]);
  });

  it("for a call that the server does not enforce end by name", async () => {
    const remote = await connect();
    const tools = [{ type: "function" as const, function: { name: "now" } }];
    const params = { messages, tools, tool_choice: "required" as const };
    expect((await failure(remote.chat.completions.create(params))).code).toBe("remote_error");
    server.answers[CHAT] = stream(events(...ANSWER, "[DONE]"));
    expect((await read(remote, params)).error?.message).toContain("without the call");
  });

  it("embed and rank", async () => {
    const remote = await connect();
    const data = [1, 0].map((index) => ({ index, embedding: [index], object: "embedding" }));
    server.answers.embeddings = json({ object: "list", data, usage: { prompt_tokens: 2, total_tokens: 2 } });
    const embedded = await remote.embeddings.create({ input: ["a", "b"] });
    expect(embedded.data.map(({ embedding }) => embedding)).toEqual([[0], [1]]);
    const results = [0.2, 0.9, 0.5].map((relevance_score, index) => ({ index, relevance_score, document: {} }));
    server.answers.rerank = json({ id: "r", results, usage: { total_tokens: 9 } });
    const ranked = await remote.rerank({
      query: "q",
      documents: ["a", { text: "b" }, "c"],
      top_n: 2,
      return_documents: true,
    });
    expect(ranked.results).toEqual([
      { index: 1, relevance_score: 0.9, document: { text: "b" } },
      { index: 2, relevance_score: 0.5, document: { text: "c" } },
    ]);
    expect([ranked.usage.total_tokens, ranked.served_by?.where]).toEqual([9, "server"]);
    expect(server.asked.at(-1)?.body).toEqual({ model: "m", query: "q", documents: ["a", "b", "c"], top_n: 2 });
  });

  it("come from OpenAI's client as well", async () => {
    const remote = await connect();
    const client = new OpenAI({ apiKey: "none", baseURL: "https://hearth.invalid/v1", fetch: createFetch(remote) });
    expect((await client.chat.completions.create({ model: "x", messages })).choices[0]?.message.content).toBe("hello");
    expect(server.asked.at(-1)?.headers.authorization).toBeUndefined();
  });
});

it("asks only the server that was named", async () => {
  const fetched: string[] = [];
  const own: typeof fetch = (input, init) => {
    fetched.push(input instanceof Request ? input.url : input.toString());
    return fetch(input, init);
  };
  const remote = await connect({ fetch: own });
  await remote.chat.completions.create({ messages });
  expect(fetched).toEqual([`${server.address}/models`, `${server.address}/${CHAT}`]);
  expect(MODELS.data[0]?.id).toBe(remote.model.name);
});
