/**
 * A real llama.cpp server (`tests/peers/README.md`), with SmolLM2, through `Remote` and through OpenAI's client.
 *
 * HEARTH_XLLAMACPP is the Python that has xllamacpp, HEARTH_SMOLLM2 the model's file.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFetch } from "../../src/openai-fetch.js";
import { Remote } from "../../src/remote/index.js";

const { HEARTH_XLLAMACPP: python = "", HEARTH_SMOLLM2: model = "" } = process.env;
const script = join(import.meta.dirname, "../../../tests/peers/llama_server.py");
const KEY = "sk-for-this-test";
const RIVERS = [{ role: "user" as const, content: "Name three rivers." }];

let server: ChildProcess | undefined;
let baseURL = "";
let remote: Remote;

/** Starts the server and returns its address; its end comes with that of its input. */
function start(): Promise<string> {
  const child = spawn(python, [script, model, "--key", KEY], { stdio: ["pipe", "pipe", "ignore"] });
  server = child;
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => {
      reject(new Error(`llama.cpp's server ended with ${String(code)}`));
    });
    child.stdout.setEncoding("utf8");
    child.stdout.once("data", (line: string) => {
      resolve(`${line.trim()}/v1`);
    });
  });
}

/** Returns llama.cpp's view of its slots. */
async function isBusy(): Promise<boolean> {
  const response = await fetch(baseURL.replace(/v1$/, "slots"), { headers: { Authorization: `Bearer ${KEY}` } });
  return ((await response.json()) as { is_processing: boolean }[]).some(({ is_processing }) => is_processing);
}

const isReady = python !== "" && model !== "";
if (!isReady) console.warn("skipped: no llama.cpp server (HEARTH_XLLAMACPP or HEARTH_SMOLLM2 is not set)");

describe.skipIf(!isReady)("llama.cpp's server", { timeout: 120_000 }, () => {
  beforeAll(async () => {
    baseURL = await start();
    remote = await Remote.connect({ baseURL, apiKey: KEY });
  }, 120_000);

  afterAll(() => {
    server?.stdin?.end();
    server?.kill();
  });

  it("is known by its list of models, and wants its key", async () => {
    expect([remote.kind, remote.model.name, remote.contextSize]).toEqual(["llama.cpp", "smollm2", 1024]);
    await expect(
      Remote.connect({ baseURL, apiKey: "wrong" }).then((it) => it.chat.completions.create({ messages: RIVERS })),
    ).rejects.toMatchObject({
      code: "remote_auth",
    });
  });

  it("streams what it answers whole, through OpenAI's client as well", async () => {
    const params = { messages: RIVERS, temperature: 0, max_tokens: 8 };
    const whole = await remote.chat.completions.create(params);
    const content = whole.choices[0]?.message.content ?? "";
    expect(content).toBe("1. The River of Life: This");
    expect(whole.usage.completion_tokens).toBe(8);
    expect(whole.timings?.predicted_n).toBe(8);
    let text = "";
    let tokens = 0;
    const options = { include_usage: true };
    for await (const chunk of await remote.chat.completions.create({
      ...params,
      stream: true,
      stream_options: options,
    })) {
      text += chunk.choices[0]?.delta.content ?? "";
      tokens = chunk.usage?.completion_tokens ?? tokens;
    }
    expect([text, tokens]).toEqual([content, 8]);
    const client = new OpenAI({ apiKey: "none", baseURL: "https://hearth.invalid/v1", fetch: createFetch(remote) });
    const found = await client.chat.completions.stream({ model: "any", ...params }).finalContent();
    expect(found).toBe(content);
  });

  it("continues an answer, and gives the new text only", async () => {
    const messages = [...RIVERS, { role: "assistant" as const, content: "Three rivers are the" }];
    const params = { messages, temperature: 0, max_tokens: 4, continue_final_message: true };
    const whole = await remote.chat.completions.create(params);
    expect(whole.choices[0]?.message.content).toBe(" Nile River, the");
  });

  it("follows a schema", async () => {
    const schema = { type: "object", properties: { rivers: { type: "integer" } }, required: ["rivers"] };
    const { choices } = await remote.chat.completions.create({
      messages: RIVERS,
      temperature: 0,
      max_tokens: 32,
      structured_outputs: { json: schema },
    });
    expect(JSON.parse(choices[0]?.message.content ?? "")).toEqual({ rivers: expect.any(Number) as number });
  });

  it("refuses what is too long by the name that an engine has for it", async () => {
    const messages = [{ role: "user" as const, content: "word ".repeat(2000) }];
    await expect(remote.chat.completions.create({ messages })).rejects.toMatchObject({ code: "context_overflow" });
    await expect(remote.embeddings.create({ input: "a" })).rejects.toMatchObject({ code: "unsupported_by_server" });
  });

  it("stops when it is left", async () => {
    const stream = await remote.chat.completions.create({ messages: RIVERS, stream: true, max_tokens: 500 });
    for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break;
    const since = performance.now();
    while (await isBusy()) await new Promise((resolve) => setTimeout(resolve, 20));
    console.log(`idle after ${(performance.now() - since).toFixed(0)} ms`);
    expect(performance.now() - since).toBeLessThan(20_000);
  });
});
