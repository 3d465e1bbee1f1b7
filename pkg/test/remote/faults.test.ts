/** Faults of servers and of the way to them: their names, what is kept, and what is never done. */
import { describe, expect, it, vi } from "vitest";
import type { HearthError } from "../../src/core/errors.js";
import { Remote } from "../../src/remote/index.js";
import { delta, events, inTurn, json, LlmServer, stream } from "./server.js";
import { ANSWER, CHAT, connect, failure, KEY, messages, read, server, useServer, WHOLE } from "./support.js";

useServer();

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

  it("a page that is offline, and cannot load the reasons, gets the code all the same", async () => {
    vi.doMock("../../src/remote/unreachable.js", () => {
      throw new TypeError("Failed to fetch dynamically imported module");
    });
    try {
      const refuse = (): Promise<Response> => Promise.reject(new TypeError("Failed to fetch"));
      const found = await failure(Remote.connect({ baseURL: "http://localhost:8000/v1", fetch: refuse }));
      expect([found.code, found.message]).toEqual(["remote_unreachable", "localhost:8000 cannot be reached"]);
      expect(found.hint).toContain("that it runs");
    } finally {
      vi.doUnmock("../../src/remote/unreachable.js");
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
    const silent = await connect({ timeouts: { firstMs: 60 } });
    server.answers[CHAT] = () => undefined;
    expect((await failure(silent.chat.completions.create({ messages }))).message).toContain("did not answer");
    // Longer than this thread, which is the server's as well, may be kept from running.
    const remote = await connect({ timeouts: { silenceMs: 1000 } });
    server.answers[CHAT] = stream(events(...ANSWER.slice(0, 2)), [], "wait");
    const { text, error: found } = await read(remote);
    expect([text, found?.code]).toEqual(["one ", "remote_interrupted"]);
    expect(found?.message).toContain("sent nothing");
    await server.asked.at(-1)?.closed;
  });

  it("a broken connection keeps the text that came, wherever it breaks", { timeout: 60_000 }, async () => {
    const remote = await connect();
    const bytes = events(...ANSWER.slice(0, 2), delta({ content: "黄河" }), delta({}, "stop"), "[DONE]");
    const whole = "one 黄河";
    const end = bytes.length - events(delta({}, "stop"), "[DONE]").length;
    const step = Math.ceil(end / 50);
    for (let at = 1, round = 0; at < end; at += step, round++) {
      const how = round % 2 === 0 ? "end" : "destroy";
      server.answers[CHAT] = stream(bytes.subarray(0, at), [], how);
      const { text, error: found } = await read(remote);
      expect(whole.startsWith(text), `${String(at)} ${how}`).toBe(true);
      expect(found?.code, `${String(at)} ${how}`).toBe("remote_interrupted");
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
    expect(performance.now() - since).toBeLessThan(10_000);
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
