/** Tests of the server and the command, with the fake core, over real connections. */
import { request as ask, type ClientRequest } from "node:http";
import { Readable } from "node:stream";
import OpenAI from "openai";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Engine } from "../../src/index.js";
import { main, type Surroundings } from "../../src/node/commands.js";
import { serve, type ServeOptions, type Serving } from "../../src/node/serve.js";
import { fake, resetFake } from "../fake-wasm.js";
import { WorkerDouble } from "../worker-double.js";

const messages = [{ role: "user" as const, content: "!echo one two three" }];
const model = "any";
let engine: Engine;
let serving: Serving;

async function start(options: ServeOptions = {}): Promise<OpenAI> {
  serving = await serve(engine, { port: 0, ...options });
  return new OpenAI({ apiKey: options.apiKey ?? "none", baseURL: serving.url, maxRetries: 0 });
}

beforeEach(async () => {
  vi.stubGlobal("Worker", WorkerDouble);
  resetFake();
  engine = await Engine.create({ model: new Blob(["GGUF".padEnd(1000, "x")]), device: "cpu", contextSize: 300 });
});

afterEach(async () => {
  await serving.close({ abort: true });
  engine.dispose();
  vi.unstubAllGlobals();
});

it("serves OpenAI's client: whole, streamed, texts, vectors, responses, the model", async () => {
  const client = await start();
  const completion = await client.chat.completions.create({ model, messages });
  expect(completion.choices[0]?.message.content).toBe("one two three");
  const deltas: string[] = [];
  for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
    deltas.push(chunk.choices[0]?.delta.content ?? "");
  }
  expect(deltas.filter(Boolean)).toEqual(["one", " two", " three"]);
  expect((await client.completions.create({ model, prompt: "!echo a" })).choices[0]?.text).toBe("a");
  expect((await client.embeddings.create({ model, input: ["x", "y"] })).data).toHaveLength(2);
  expect((await client.responses.create({ model, input: "!echo r" })).output_text).toBe("r");
  expect((await client.models.list()).data.map(({ id }) => id)).toEqual([engine.model.name]);
});

it("answers several clients at once, one after another", async () => {
  fake.stepMs = 5;
  const client = await start();
  const answers = await Promise.all(
    ["a b", "c", "d e f"].map((text) =>
      client.chat.completions.create({ model, messages: [{ role: "user", content: `!echo ${text}` }] }),
    ),
  );
  expect(answers.map(({ choices }) => choices[0]?.message.content)).toEqual(["a b", "c", "d e f"]);
});

it("passes on errors with their codes and statuses", async () => {
  const client = await start();
  const wrong = client.chat.completions.create({ model, messages, temperature: 7 });
  await expect(wrong).rejects.toMatchObject({ status: 400, code: "invalid_request" });
  await expect(client.audio.speech.create({ model, input: "x", voice: "alloy" })).rejects.toMatchObject({
    status: 400,
  });
  const response = await fetch(`${serving.url}/chat/completions`, { method: "POST", body: "{" });
  expect([response.status, (await response.json()) as unknown]).toMatchObject([
    400,
    { error: { code: "invalid_request" } },
  ]);
  const speech = client.audio.transcriptions.create({ model, file: new File(["x"], "a.wav") });
  await expect(speech).rejects.toMatchObject({ status: 404 });
});

it("ends a stream that fails by an event with the error", async () => {
  await start();
  fake.loseAt = 2;
  engine.dispose();
  engine = await Engine.create({ model: new Blob(["GGUF".padEnd(999, "x")]), device: "cpu", recover: false });
  await serving.close();
  serving = await serve(engine, { port: 0 });
  const body = JSON.stringify({ messages, stream: true });
  const text = await (await fetch(`${serving.url}/chat/completions`, { method: "POST", body })).text();
  expect(text).toContain('"content":"one"');
  const last = text.trim().split("\n\n").at(-1) ?? "";
  expect(JSON.parse(last.replace("data: ", ""))).toMatchObject({ error: { code: "device_lost" } });
});

it.each([true, false])("stops an answer whose client has gone (streamed: %s)", async (stream) => {
  fake.stepMs = 20;
  await start();
  const controller = new AbortController();
  const body = JSON.stringify({ stream, messages: [{ role: "user", content: "!echo " + "a ".repeat(100) }] });
  const init = { method: "POST", body, signal: controller.signal };
  const gone = fetch(`${serving.url}/chat/completions`, init).then((response) => response.text());
  await vi.waitFor(() => {
    expect(fake.steps).toBeGreaterThan(2);
  });
  controller.abort();
  await expect(gone).rejects.toThrow("abort");
  await vi.waitFor(() => {
    expect([fake.cancelled, fake.liveGenerations]).toEqual([1, 0]);
  });
  expect(fake.steps).toBeLessThan(60);
});

it("wants its key, and tells nothing without it but that it runs", async () => {
  const client = await start({ apiKey: "secret" });
  expect((await client.models.list()).data).toHaveLength(1);
  for (const headers of [{}, { Authorization: "Bearer secre" }, { Authorization: "secret" }]) {
    const response = await fetch(`${serving.url}/models`, { headers });
    expect([response.status, (await response.json()) as unknown]).toMatchObject([
      401,
      { error: { code: "remote_auth" } },
    ]);
  }
  const health = await fetch(new URL("/health", serving.url));
  expect(await health.json()).toEqual({ status: "ok" });
});

it("lets the pages ask that it was told, and no others", async () => {
  await start({ cors: ["https://a.example"], apiKey: "k" });
  const origin = { Origin: "https://a.example" };
  const asked = { ...origin, "Access-Control-Request-Headers": "authorization,content-type" };
  const preflight = await fetch(`${serving.url}/models`, { method: "OPTIONS", headers: asked });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get("Access-Control-Allow-Origin")).toBe("https://a.example");
  expect(preflight.headers.get("Access-Control-Allow-Headers")).toBe("authorization,content-type");
  const answer = await fetch(`${serving.url}/models`, { headers: { ...origin, Authorization: "Bearer k" } });
  expect([answer.status, answer.headers.get("Access-Control-Allow-Origin")]).toEqual([200, "https://a.example"]);
  const other = await fetch(`${serving.url}/models`, {
    headers: { Origin: "https://b.example", Authorization: "Bearer k" },
  });
  expect([other.status, other.headers.get("Access-Control-Allow-Origin")]).toEqual([403, null]);
});

it("runs nothing for a page that only sends, and none that took the server's name", async () => {
  await start();
  // A form's type needs no preflight.
  const headers = { Origin: "https://b.example", "Content-Type": "text/plain" };
  const init = { method: "POST", headers, body: JSON.stringify({ messages }) };
  expect((await fetch(`${serving.url}/chat/completions`, init)).status).toBe(403);
  expect(fake.steps).toBe(0);
  const status = await new Promise((resolve) => {
    const request: ClientRequest = ask(`${serving.url}/models`, { headers: { Host: "evil.example" } }, (response) => {
      resolve(response.statusCode);
      response.resume();
    });
    request.end();
  });
  expect(status).toBe(403);
});

it("says that a port is taken", async () => {
  await start();
  await expect(serve(engine, { port: serving.port })).rejects.toMatchObject({ code: "busy" });
  await expect(serve(engine, { host: "203.0.113.1", port: 0 })).rejects.toMatchObject({ code: "io_error" });
});

it("lets running answers end when it closes", async () => {
  fake.stepMs = 20;
  const client = await start();
  const answer = client.chat.completions.create({ model, messages });
  await vi.waitFor(() => {
    expect(fake.steps).toBeGreaterThan(0);
  });
  const closing = serving.close();
  expect((await answer).choices[0]?.message.content).toBe("one two three");
  await closing;
  await expect(fetch(serving.url)).rejects.toThrow();
});

interface Said {
  out: string;
  err: string;
}

function around(args: string[], said: Said, stops: (() => void)[] = [], input = ""): Surroundings {
  return {
    args,
    env: {},
    stdin: Readable.from([input]),
    out: (text) => (said.out += text),
    err: (text) => (said.err += text),
    isTerminal: false,
    onStop: (stop) => {
      stops.push(stop);
      return () => void stops.pop();
    },
  };
}

const address = `data:application/octet-stream,${"GGUF".padEnd(100, "x")}`;

it("answers a question on the command line, from an argument or a pipe", async () => {
  await start();
  const said: Said = { out: "", err: "" };
  expect(await main(around(["run", address, "!echo a b", "--device", "cpu"], said))).toBe(0);
  expect(await main(around(["run", address, "--device", "cpu"], said, [], "!echo c d\n"))).toBe(0);
  expect(said.out).toBe("a b\nc d\n");
  expect(said.err).not.toContain("hearth-llm:");
  expect(await main(around(["run", address], said))).toBe(1);
  expect(said.err).toContain("the question must be");
});

it("serves from the command line until it is stopped, and says where", async () => {
  await start();
  const said: Said = { out: "", err: "" };
  const stops: (() => void)[] = [];
  const ended = main(around(["serve", address, "--port", "0", "--device", "cpu", "--api-key", "k"], said, stops));
  await vi.waitFor(() => {
    expect(said.out).toContain("curl");
  });
  const [, url = ""] = /at (http:\S+\/v1),/.exec(said.out) ?? [];
  expect(said.out).toContain(`curl -N ${url}/`);
  expect(said.out).not.toContain("Bearer k");
  const answer = await fetch(`${url}/models`, { headers: { Authorization: "Bearer k" } });
  expect(answer.status).toBe(200);
  stops[0]?.();
  expect(await ended).toBe(0);
  await expect(fetch(url)).rejects.toThrow();
});

it("explains failures by code, with a status that tells them apart", async () => {
  await start();
  const said: Said = { out: "", err: "" };
  expect(await main(around(["serve"], said))).toBe(2);
  expect(said.err).toContain("invalid_request");
  said.err = "";
  expect(await main(around(["serve", address, "--port", String(serving.port)], said))).toBe(1);
  expect(said.err).toContain("(busy)");
  said.err = "";
  const wrong = `data:application/octet-stream,${"PK".padEnd(100, "x")}`;
  expect(await main(around(["run", wrong, "x", "--device", "cpu"], said))).toBe(1);
  expect(said.err).toContain("(bad_file)");
});
