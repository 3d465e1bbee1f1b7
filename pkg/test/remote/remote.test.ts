/** A model on a server: what is sent, to whom, and what its faults are called. */
import OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HearthError } from "../../src/core/errors.js";
import { createFetch } from "../../src/openai-fetch.js";
import { Remote, type RemoteOptions } from "../../src/remote/index.js";
import type { ServerKind } from "../../src/remote/servers.js";
import { delta, events, inTurn, json, LlmServer, MODELS, stream } from "./server.js";

const CHAT = "chat/completions";
const messages = [{ role: "user" as const, content: "hi" }];
const WHOLE = {
  id: "c-1",
  object: "chat.completion",
  created: 7,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "hello" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3 },
};
const KEY = "sk-very-secret";
const ANSWER = [
  delta({ role: "assistant", content: "" }),
  delta({ content: "one " }),
  delta({ content: "two" }, "stop"),
];

let server: LlmServer;
const open: Remote[] = [];

beforeEach(async () => {
  server = new LlmServer();
  await server.listen();
  server.answers[CHAT] = json(WHOLE);
});
afterEach(() => {
  for (const remote of open.splice(0)) remote.dispose();
  server.close();
});

async function connect(options: Partial<RemoteOptions> = {}): Promise<Remote> {
  const remote = await Remote.connect({ baseURL: server.address, ...options });
  open.push(remote);
  return remote;
}

const failure = async (promise: Promise<unknown>): Promise<HearthError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HearthError);
  return error as HearthError;
};

/** Returns the text of a stream, and the error that ended it. */
async function read(remote: Remote, params: object = {}): Promise<{ text: string; error?: HearthError }> {
  let text = "";
  try {
    for await (const chunk of await remote.chat.completions.create({ messages, stream: true, ...params })) {
      text += chunk.choices[0]?.delta.content ?? "";
    }
    return { text };
  } catch (error) {
    return { text, error: error as HearthError };
  }
}

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

describe("faults", () => {
  const error = (message: string, fields: object = {}): object => ({ error: { message, ...fields } });

  it.each<[string, number, object | string, string]>([
    ["a wrong key", 401, error("Invalid API Key"), "remote_auth"],
    ["Ollama's refusal of an origin", 403, "", "remote_auth"],
    ["vLLM without the model", 404, error("The model `x` does not exist.", { type: "NotFoundError" }), "remote_model"],
    ["Ray without the model", 404, { detail: "Could not find model with id x" }, "remote_model"],
    ["a wrong address", 404, "<html>not here</html>", "remote_error"],
    ["a route that is not served", 404, { detail: "Not Found" }, "unsupported_by_server"],
    ["llama.cpp without embeddings", 501, error("not supported", { code: 501 }), "unsupported_by_server"],
    [
      "llama.cpp's context",
      400,
      error("request (2031 tokens) exceeds", { type: "exceed_context_size_error", n_ctx: 1024 }),
      "context_overflow",
    ],
    ["vLLM's context", 400, error("too long", { param: "input_tokens", code: 400 }), "context_overflow"],
    ["OpenAI's context", 400, error("too long", { code: "context_length_exceeded" }), "context_overflow"],
    ["a field of the wrong type", 400, error("Field 'top_p'"), "invalid_request"],
    ["a crash", 500, error("oops"), "remote_error"],
    ["a proxy's page", 502, "<html>Bad gateway</html>", "remote_error"],
    ["a page of HTML with status 200", 200, "<!doctype html>", "remote_error"],
    ["an error with status 200", 200, error("oops"), "remote_error"],
    ["nothing", 200, "", "remote_error"],
    ["JSON without an answer", 200, { fine: true }, "remote_error"],
  ])("%s is named, whole and streamed", async (_, status, body, code) => {
    const remote = await connect({ apiKey: KEY });
    server.answers[CHAT] = json(body, status);
    const whole = await failure(remote.chat.completions.create({ messages }));
    const { error: streamed, text } = await read(remote);
    expect([whole.code, streamed?.code, text]).toEqual([code, code, ""]);
    expect(whole.hint).not.toBe("");
    expect(JSON.stringify([whole.message, whole.hint, whole.stack])).not.toContain(KEY);
    if (status !== 200) expect(whole.status).toBe(status);
  });

  it("a key that the server refuses is named so", async () => {
    server.answers.models = json(error("Invalid API Key"), 401);
    const found = await failure(connect({ model: "m", apiKey: KEY }));
    expect([found.code, found.status]).toEqual(["remote_auth", 401]);
  });

  it("a busy server is asked again when it says", async () => {
    const remote = await connect();
    const busy = json(error("Loading model"), 503, { "Retry-After": "0.02" });
    server.answers[CHAT] = inTurn(busy, json(error("slow down"), 429, { "Retry-After": "0.02" }), json(WHOLE));
    expect((await remote.chat.completions.create({ messages })).choices[0]?.message.content).toBe("hello");
    expect(server.count(CHAT)).toBe(3);
    server.answers[CHAT] = busy;
    const found = await failure(remote.chat.completions.create({ messages }));
    expect([found.code, found.status, server.count(CHAT)]).toEqual(["remote_busy", 503, 7]);
    server.answers[CHAT] = json("", 429, { "Retry-After": "3600" });
    expect((await failure(remote.chat.completions.create({ messages }))).code).toBe("remote_busy");
    expect(server.count(CHAT)).toBe(8);
  });

  it.each([301, 302, 307, 308])(
    "a redirect (%i) is not followed, so that no other server gets the key",
    async (status) => {
      const other = new LlmServer();
      await other.listen();
      other.answers[CHAT] = json(WHOLE);
      const remote = await connect({ apiKey: KEY });
      server.answers[CHAT] = json("", status, { Location: `${other.address}/${CHAT}` });
      const found = await failure(remote.chat.completions.create({ messages }));
      expect([found.code, other.asked.length]).toEqual(["remote_error", 0]);
      expect(found.message).toContain("redirects");
      other.close();
    },
  );

  it("a server that does not run is unreachable, with both causes and the command", async () => {
    const { address } = server;
    server.close();
    const found = await failure(Remote.connect({ baseURL: address }));
    expect(found.code).toBe("remote_unreachable");
    expect(found.message).toContain("not running at this address, or does not allow this page (CORS)");
    const refuse = (): Promise<Response> => Promise.reject(new TypeError("Failed to fetch"));
    for (const [port, command] of [
      [11434, "OLLAMA_ORIGINS"],
      [8000, "--allowed-origins"],
      [1234, "LM Studio"],
    ] as const) {
      const baseURL = `http://localhost:${String(port)}/v1`;
      expect((await failure(Remote.connect({ baseURL, fetch: refuse }))).hint).toContain(command);
    }
  });

  it("mixed content is named", async () => {
    vi.stubGlobal("location", { protocol: "https:", origin: "https://page.example" });
    const refuse = (): Promise<Response> => Promise.reject(new TypeError("Failed to fetch"));
    const far = await failure(Remote.connect({ baseURL: "http://10.0.0.5:8000/v1", fetch: refuse }));
    expect([far.code, far.message]).toEqual([
      "remote_unreachable",
      "10.0.0.5:8000 cannot be reached: a page on https may not ask a server on http (mixed content)",
    ]);
    const near = await failure(Remote.connect({ baseURL: "http://localhost:8000/v1", fetch: refuse }));
    expect(near.hint).toContain('["https://page.example"]');
    vi.unstubAllGlobals();
  });

  it("a server that stays silent is interrupted, before and within an answer", async () => {
    const remote = await connect({ timeouts: { firstMs: 60, silenceMs: 60 } });
    server.answers[CHAT] = () => undefined;
    expect((await failure(remote.chat.completions.create({ messages }))).message).toContain("did not answer");
    server.answers[CHAT] = stream(events(...ANSWER.slice(0, 2)), [], "wait");
    const { text, error: found } = await read(remote);
    expect([text, found?.code]).toEqual(["one ", "remote_interrupted"]);
    expect(found?.message).toContain("sent nothing");
    await server.asked.at(-1)?.closed;
  });

  it("a broken connection keeps the text that came, wherever it breaks", async () => {
    const remote = await connect();
    const bytes = events(...ANSWER.slice(0, 2), delta({ content: "黄河" }), delta({}, "stop"), "[DONE]");
    const whole = "one 黄河";
    const end = bytes.length - events(delta({}, "stop"), "[DONE]").length;
    const step = Math.ceil(end / 50);
    for (let at = 1; at < end; at += step) {
      const cut = bytes.subarray(0, at);
      for (const how of ["end", "destroy"] as const) {
        server.answers[CHAT] = stream(cut, [], how);
        const { text, error: found } = await read(remote);
        expect(whole.startsWith(text), `${String(at)} ${how}`).toBe(true);
        expect(found?.code, `${String(at)} ${how}`).toBe("remote_interrupted");
      }
    }
    server.answers[CHAT] = stream(bytes.subarray(0, -events("[DONE]").length));
    expect(await read(remote)).toEqual({ text: whole });
  });

  it("an error within a stream, and an event that is not JSON", async () => {
    const remote = await connect();
    const begun = ANSWER.slice(0, 2);
    server.answers[CHAT] = stream(events(...begun, error("out of memory", { code: 500 }), "[DONE]"));
    expect(await read(remote)).toMatchObject({ text: "one ", error: { code: "remote_error" } });
    server.answers[CHAT] = stream(events(...begun, '{"choices": [', "[DONE]"));
    expect(await read(remote)).toMatchObject({ text: "one ", error: { code: "remote_error" } });
    server.answers[CHAT] = stream(events(...begun, "null", "[DONE]"));
    expect(await read(remote)).toMatchObject({ text: "one ", error: { code: "remote_error" } });
  });

  it("a key that is no header's value is not in the message", async () => {
    const found = await failure(connect({ apiKey: `${KEY}\n` + "\u0000" }));
    expect(found.code).toBe("invalid_request");
    expect(`${found.message}${String(found.cause)}`).not.toContain(KEY);
  });
});

describe("ending", () => {
  it.each(["abort", "leave", "dispose"])("closes the connection at once: %s", async (how) => {
    const remote = await connect();
    server.answers[CHAT] = stream(events(...ANSWER.slice(0, 2)), [], "wait");
    const controller = new AbortController();
    const asked = await remote.chat.completions.create({ messages, stream: true }, { signal: controller.signal });
    let code: unknown = "left";
    let since = 0;
    try {
      for await (const chunk of asked) {
        if (chunk.choices[0]?.delta.content !== "one ") continue;
        since = performance.now();
        if (how === "leave") break;
        if (how === "abort") controller.abort();
        else remote.dispose();
      }
    } catch (error) {
      code = (error as HearthError).code;
    }
    await server.asked.at(-1)?.closed;
    expect(performance.now() - since).toBeLessThan(1000);
    expect(code).toBe({ abort: "cancelled", leave: "left", dispose: "disposed" }[how]);
  });

  it("rejects later requests of a disposed connection, and asks nothing", async () => {
    const remote = await connect();
    remote.dispose();
    expect((await remote.closed).code).toBe("disposed");
    expect((await failure(remote.chat.completions.create({ messages }))).code).toBe("disposed");
    expect(server.count(CHAT)).toBe(0);
  });

  it("obeys an abort before the request, and while a busy server is waited for", async () => {
    const remote = await connect();
    const signal = AbortSignal.abort();
    expect((await failure(remote.chat.completions.create({ messages }, { signal }))).code).toBe("cancelled");
    expect(server.count(CHAT)).toBe(0);
    server.answers[CHAT] = json("", 503, { "Retry-After": "20" });
    const controller = new AbortController();
    const asked = failure(remote.chat.completions.create({ messages }, { signal: controller.signal }));
    await vi.waitFor(() => {
      expect(server.count(CHAT)).toBe(1);
    });
    controller.abort();
    expect((await asked).code).toBe("cancelled");
  });
});

it("asks only the server that was named", async () => {
  const fetched: string[] = [];
  const own: typeof fetch = (input, init) => {
    fetched.push(String(input));
    return fetch(input, init);
  };
  const remote = await connect({ fetch: own });
  await remote.chat.completions.create({ messages });
  expect(fetched).toEqual([`${server.address}/models`, `${server.address}/${CHAT}`]);
  expect(MODELS.data[0]?.id).toBe(remote.model.name);
});
