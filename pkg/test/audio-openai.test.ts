/** Tests of OpenAI's own client with a transcriber on the fake module. */
import OpenAI from "openai";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Transcriber } from "../src/audio/index.js";
import { createFetch } from "../src/openai-fetch.js";
import type { Served } from "../src/api/served.js";
import { fake } from "./audio-module.js";
import { create, useFakeModule, wav } from "./audio-support.js";

useFakeModule();

const engine = { model: { name: "chat" } } as unknown as Served;
const model = "whisper-1";
/** A second of sound. */
const file = new File([wav(new Array<number>(16_000).fill(0))], "speech.wav");
let transcriber: Transcriber;
let client: OpenAI;

const clientOf = (fetch: typeof globalThis.fetch): OpenAI =>
  new OpenAI({ apiKey: "none", baseURL: "https://hearth.invalid/v1", fetch });

beforeEach(async () => {
  transcriber = await create();
  client = clientOf(createFetch(engine, { audio: transcriber }));
});

describe("with a transcriber", () => {
  it("answers in each format", async () => {
    const { transcriptions } = client.audio;
    const usage = { type: "duration", seconds: 1 };
    expect(await transcriptions.create({ model, file })).toEqual({ text: "w1", usage });
    expect(await transcriptions.create({ model, file, response_format: "text" })).toBe("w1");
    expect(await transcriptions.create({ model, file, response_format: "vtt" })).toMatch(/^vtt /);
    const verbose = await transcriptions.create({
      model,
      file,
      language: "de",
      prompt: "Herd",
      temperature: 0.5,
      response_format: "verbose_json",
      timestamp_granularities: ["word", "segment"],
    });
    expect(verbose).toMatchObject({ language: "german", duration: 1, words: [{ word: "w1" }], segments: [{ id: 0 }] });
    expect(fake.runs.at(-1)?.options).toMatchObject({
      language: "de",
      prompt: "Herd",
      temperatures: [0.5],
      words: true,
    });
  });

  it("takes fields of its own as the client passes them", async () => {
    const own = { condition_on_previous_text: true, no_speech_threshold: 0.3, temperature: [0, 1] };
    await client.audio.transcriptions.create({ model, file, ...(own as object) });
    expect(fake.runs[0]?.options).toMatchObject({
      conditionOnPreviousText: true,
      noSpeechThreshold: 0.3,
      temperatures: [0, 1],
    });
  });

  it("translates", async () => {
    const verbose = await client.audio.translations.create({ model, file, response_format: "verbose_json" });
    expect(verbose).toMatchObject({ text: "w1", language: "english" });
    expect(fake.runs[0]?.options.task).toBe("translate");
  });

  it("streams", async () => {
    const events: unknown[] = [];
    for await (const event of await client.audio.transcriptions.create({ model, file, stream: true }))
      events.push(event);
    expect(events).toEqual([
      { type: "transcript.text.delta", delta: "w1" },
      { type: "transcript.text.done", text: "w1" },
    ]);
  });

  it("makes the client's exceptions of errors", async () => {
    const { transcriptions } = client.audio;
    await expect(transcriptions.create({ model, file, language: "elvish" })).rejects.toMatchObject({
      status: 400,
      code: "invalid_request",
      message: expect.stringContaining("elvish") as string,
    });
    const unread = new File(["OggS"], "speech.ogg");
    await expect(transcriptions.create({ model, file: unread })).rejects.toMatchObject({
      status: 400,
      code: "audio_undecodable",
    });
    fake.trapAt = 0;
    await expect(transcriptions.create({ model, file })).rejects.toMatchObject({ status: 500, code: "worker_died" });
  });

  it("obeys the client's abort", async () => {
    fake.isEndless = true;
    const controller = new AbortController();
    const running = client.audio.transcriptions.create({ model, file }, { signal: controller.signal });
    await vi.waitFor(() => {
      expect(fake.steps).toBeGreaterThan(1);
    });
    controller.abort();
    await expect(running).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
    await vi.waitFor(() => {
      expect(fake.live).toBe(0);
    });
  });

  it("tells both models", async () => {
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(["chat", "ggml-tiny"]);
  });

  it("refuses what is no form, or has no file", async () => {
    const fetch = createFetch(engine, { audio: transcriber });
    const url = "https://hearth.invalid/v1/audio/transcriptions";
    const plain = await fetch(url, { method: "POST", body: "{}", headers: { "Content-Type": "application/json" } });
    expect([plain.status, await plain.text()]).toEqual([400, expect.stringContaining("multipart/form-data")]);
    const form = new FormData();
    form.append("file", "speech.wav");
    const empty = await fetch(url, { method: "POST", body: form });
    expect([empty.status, await empty.text()]).toEqual([400, expect.stringContaining("file must be a file")]);
  });
});

it("says what to pass without a transcriber", async () => {
  const deaf = clientOf(createFetch(engine));
  await expect(deaf.audio.transcriptions.create({ model, file })).rejects.toMatchObject({
    status: 404,
    message: expect.stringContaining("createFetch(engine, { audio: await Transcriber.create({ model }) })") as string,
  });
});
