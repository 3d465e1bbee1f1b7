/** Tests of a transcriber on the fake module: loading, formats, turns, aborts, and workers that die. */
import { expect, describe, it, vi, expectTypeOf } from "vitest";
import {
  Transcriber,
  type Transcription,
  type TranscriptionStream,
  type TranscriptionVerbose,
} from "../src/audio/index.js";
import { fake, ModuleError } from "./audio-module.js";
import { create, sound, useFakeModule } from "./audio-support.js";
import { AudioWorkerDouble } from "./audio-worker-double.js";

useFakeModule();

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "none",
    (error: unknown) => (error as { code?: unknown }).code ?? error,
  );

describe("a load", () => {
  it("tells what it has loaded, and how far it is", async () => {
    const phases: string[] = [];
    const transcriber = await create({ onProgress: ({ phase, loaded }) => phases.push(`${phase} ${String(loaded)}`) });
    const { languages } = fake;
    const facts = { isMultilingual: true, languages, nMels: 80, parameters: 7, bytes: 100 };
    const info = { name: "ggml-tiny", device: "cpu", ...facts };
    expect(transcriber.model).toEqual(info);
    expect(phases).toEqual(["download 100", "ready 100"]);
    expect(AudioWorkerDouble.all[0]?.options.name).toBe("hearth-audio");
    transcriber.dispose();
    expect(AudioWorkerDouble.all[0]?.isTerminated).toBe(true);
  });

  it("says what is wrong with a file, and leaves no worker", async () => {
    await expect(create({ model: new Blob(["GGUF"]) })).rejects.toMatchObject({
      code: "bad_file",
      message: "Whisper file is malformed at the first bytes",
      hint: "a hint",
    });
    expect(AudioWorkerDouble.all.map(({ isTerminated }) => isTerminated)).toEqual([true]);
  });

  it("names the file of a module that cannot be compiled", async () => {
    fake.isBroken = true;
    await expect(create()).rejects.toMatchObject({
      code: "wasm_failed",
      hint: expect.stringContaining("audio_bg.wasm") as string,
    });
  });

  it("is ended by its signal", async () => {
    const controller = new AbortController();
    const loading = create({ signal: controller.signal });
    controller.abort("enough");
    await expect(loading).rejects.toMatchObject({ code: "cancelled", cause: "enough" });
    expect(AudioWorkerDouble.all.every(({ isTerminated }) => isTerminated)).toBe(true);
  });

  it("refuses options that make no sense before there is a worker", async () => {
    const cacheKey = "https://models.test/x";
    expect(await codeOf(create({ download: { sha256: "12" } }))).toBe("invalid_request");
    expect(await codeOf(create({ download: { cacheKey } }))).toBe("invalid_request");
    expect(AudioWorkerDouble.all).toEqual([]);
  });
});

describe("answers", () => {
  it("have OpenAI's shapes", async () => {
    const { audio } = await create();
    const file = sound(2.5);
    const usage = { type: "duration", seconds: 3 };
    expect(await audio.transcriptions.create({ file })).toEqual({ text: "w1 w2 w3", usage });
    expect(await audio.transcriptions.create({ file, response_format: "text" })).toBe("w1 w2 w3");
    const verbose = await audio.transcriptions.create({ file, response_format: "verbose_json" });
    expect(verbose).toMatchObject({
      task: "transcribe",
      language: "welsh",
      duration: 2.5,
      text: "w1 w2 w3",
      usage,
    });
    expect(verbose.segments?.[2]).toEqual({
      id: 2,
      seek: 0,
      start: 2,
      end: 2.5,
      text: " w3",
      tokens: [2],
      temperature: 0,
      avg_logprob: -0.25,
      compression_ratio: 1.5,
      no_speech_prob: 0.01,
    });
    expect(verbose).not.toHaveProperty("words");
  });

  it("have the times that were asked for", async () => {
    const { audio } = await create();
    const asked = { file: sound(2), response_format: "verbose_json" } as const;
    const words = await audio.transcriptions.create({ ...asked, timestamp_granularities: ["word"] });
    expect(words.words).toEqual([
      { word: "w1", start: 0, end: 1 },
      { word: "w2", start: 1, end: 2 },
    ]);
    expect(words).not.toHaveProperty("segments");
    const both = await audio.transcriptions.create({ ...asked, timestamp_granularities: ["word", "segment"] });
    expect([both.words?.length, both.segments?.length]).toEqual([2, 2]);
    // In OpenAI's shape words stand beside the segments.
    expect(both.segments?.[0]).not.toHaveProperty("words");
  });

  it.each(["srt", "vtt"] as const)("are subtitles of the module: %s", async (response_format) => {
    const { audio } = await create();
    const text = await audio.transcriptions.create({ file: sound(1), response_format });
    expect(text).toBe(`${response_format} [{"start":0,"end":1,"text":" w1"}]`);
  });

  it("are streamed as they settle, without white space around them", async () => {
    const { audio } = await create();
    const stream = await audio.transcriptions.create({ file: sound(3), stream: true });
    const events: unknown[] = [];
    for await (const event of stream) events.push(event);
    expect(events).toEqual([
      { type: "transcript.text.delta", delta: "w1" },
      { type: "transcript.text.delta", delta: " w2 w3" },
      { type: "transcript.text.done", text: "w1 w2 w3" },
    ]);
  });

  it("are empty where nothing was said", async () => {
    const { audio } = await create();
    fake.events = () => [{ type: "done", duration: 4 }];
    const verbose = await audio.transcriptions.create({ file: sound(4), response_format: "verbose_json" });
    expect(verbose).toMatchObject({ text: "", segments: [], language: "unknown", duration: 4 });
    const stream = await audio.transcriptions.create({ file: sound(4), stream: true });
    const events: unknown[] = [];
    for await (const event of stream) events.push(event);
    expect(events).toEqual([{ type: "transcript.text.done", text: "" }]);
  });

  it("come from translations in English, if the model knows other languages", async () => {
    const { audio } = await create();
    const verbose = await audio.translations.create({ file: sound(1), response_format: "verbose_json" });
    expect(verbose).toMatchObject({ task: "translate", language: "english" });
    expect(fake.runs[0]?.options.task).toBe("translate");
    fake.isMultilingual = false;
    const english = await create();
    await expect(english.audio.translations.create({ file: sound(1) })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("ggml-tiny, which knows English only") as string,
    });
    const plain = await english.audio.transcriptions.create({ file: sound(1), response_format: "verbose_json" });
    expect(plain.language).toBe("english");
  });

  it("tell how far they are, with the segments so far", async () => {
    const { audio } = await create();
    const seen: string[] = [];
    await audio.transcriptions.create({
      file: sound(3),
      onProgress: ({ seconds, duration, segments }) => seen.push([seconds, duration, segments.length].join(" ")),
    });
    expect(seen).toEqual(["0 3 0", "0 3 1", "0 3 3", "3 3 3"]);
  });

  it("have the types of their formats", () => {
    const check = async ({ audio }: Transcriber): Promise<void> => {
      const file = sound(1);
      expectTypeOf(await audio.transcriptions.create({ file })).toEqualTypeOf<Transcription>();
      expectTypeOf(await audio.transcriptions.create({ file, response_format: "srt" })).toEqualTypeOf<string>();
      const verbose = await audio.translations.create({ file, response_format: "verbose_json" });
      expectTypeOf(verbose).toEqualTypeOf<TranscriptionVerbose>();
      expectTypeOf(await audio.transcriptions.create({ file, stream: true })).toEqualTypeOf<TranscriptionStream>();
    };
    expect(check).toBeTypeOf("function");
  });
});

describe("turns", () => {
  it("are taken one after another", async () => {
    const { audio } = await create();
    const texts = [1, 2, 3].map((seconds) => audio.transcriptions.create({ file: sound(seconds) }));
    expect((await Promise.all(texts)).map(({ text }) => text)).toEqual(["w1", "w1 w2", "w1 w2 w3"]);
    expect([fake.mostLive, fake.freed]).toEqual([1, 3]);
  });

  it("are ended by a signal within a step, and the next one begins", async () => {
    const { audio } = await create();
    fake.isEndless = true;
    const controller = new AbortController();
    const running = audio.transcriptions.create({ file: sound(1) }, { signal: controller.signal });
    await vi.waitFor(() => {
      expect(fake.steps).toBeGreaterThan(2);
    });
    fake.isEndless = false;
    const next = audio.transcriptions.create({ file: sound(1) });
    const steps = fake.runs[0]?.steps ?? 0;
    controller.abort("enough");
    await expect(running).rejects.toMatchObject({ code: "cancelled", cause: "enough" });
    expect((await next).text).toBe("w1");
    expect((fake.runs[0]?.steps ?? 0) - steps).toBeLessThanOrEqual(2);
    expect([fake.freed, fake.mostLive]).toEqual([2, 1]);
  });

  it("that have not come are given up without disturbing the one that runs", async () => {
    const { audio } = await create();
    const controller = new AbortController();
    const first = audio.transcriptions.create({ file: sound(1) });
    const second = audio.transcriptions.create({ file: sound(2), signal: controller.signal });
    controller.abort();
    expect(await codeOf(second)).toBe("cancelled");
    expect((await first).text).toBe("w1");
    expect(fake.runs).toHaveLength(1);
  });

  it("of a stream end with the loop that reads it", async () => {
    const { audio } = await create();
    fake.isEndless = true;
    fake.events = () => [
      { type: "segments", segments: [] },
      { type: "done", duration: 1 },
    ];
    const stream = await audio.transcriptions.create({ file: sound(1), stream: true });
    const reading = stream[Symbol.asyncIterator]();
    await vi.waitFor(() => {
      expect(fake.steps).toBeGreaterThan(2);
    });
    await reading.return?.();
    await vi.waitFor(() => {
      expect(fake.freed).toBe(1);
    });
  });
});

describe("a worker", () => {
  it("that traps fails its request alone, and another one loads the model again", async () => {
    const loads: number[] = [];
    const { audio } = await create({ onProgress: ({ phase }) => phase === "ready" && loads.push(fake.loads) });
    fake.trapAt = 1;
    const [first, second] = [1, 2].map((seconds) => audio.transcriptions.create({ file: sound(seconds) }));
    await expect(first).rejects.toMatchObject({
      code: "worker_died",
      message: "the module that recognises speech stopped: unreachable",
      hint: expect.stringContaining("Ask again") as string,
    });
    expect((await second)?.text).toBe("w1 w2");
    expect(loads).toEqual([1, 2]);
    expect(AudioWorkerDouble.all.map(({ isTerminated }) => isTerminated)).toEqual([true, false]);
    // Nothing is freed in memory that is undefined.
    expect(fake.freed).toBe(1);
  });

  it("that cannot be replaced fails the next request, and not the one after it", async () => {
    const { audio } = await create();
    fake.trapAt = 0;
    expect(await codeOf(audio.transcriptions.create({ file: sound(1) }))).toBe("worker_died");
    fake.isBroken = true;
    expect(await codeOf(audio.transcriptions.create({ file: sound(1) }))).toBe("wasm_failed");
    fake.isBroken = false;
    expect((await audio.transcriptions.create({ file: sound(1) })).text).toBe("w1");
  });

  it("whose script is not found says what to do", async () => {
    AudioWorkerDouble.onStart = (worker) => {
      worker.onerror?.({ message: "", preventDefault: () => undefined });
    };
    await expect(create({ workerUrl: "https://page.test/nowhere.js" })).rejects.toMatchObject({
      code: "worker_died",
      hint: expect.stringContaining("workerUrl") as string,
    });
    expect(AudioWorkerDouble.all[0]?.url).toBe("https://page.test/nowhere.js");
  });

  it("ends with the transcriber, and what runs and comes later with it", async () => {
    const transcriber = await create();
    fake.isEndless = true;
    const running = transcriber.audio.transcriptions.create({ file: sound(1) });
    await vi.waitFor(() => {
      expect(fake.steps).toBeGreaterThan(1);
    });
    transcriber[Symbol.dispose]();
    await expect(running).rejects.toMatchObject({ code: "disposed", message: "the transcriber was disposed" });
    expect(await codeOf(transcriber.audio.transcriptions.create({ file: sound(1) }))).toBe("disposed");
    expect(AudioWorkerDouble.all).toHaveLength(1);
  });

  it("that is on its way when the transcriber ends is not kept", async () => {
    const transcriber = await create();
    fake.trapAt = 0;
    expect(await codeOf(transcriber.audio.transcriptions.create({ file: sound(1) }))).toBe("worker_died");
    AudioWorkerDouble.onStart = () => {
      transcriber.dispose();
    };
    const next = transcriber.audio.transcriptions.create({ file: sound(1) });
    expect(await codeOf(next)).toBe("disposed");
    expect(AudioWorkerDouble.all.map(({ isTerminated }) => isTerminated)).toEqual([true, true]);
  });
});

it("passes the module's errors on", async () => {
  const { audio } = await create();
  fake.events = () => {
    throw new ModuleError("invalid_request", "invalid request: language must be one that the model knows");
  };
  await expect(audio.transcriptions.create({ file: sound(1) })).rejects.toMatchObject({
    code: "invalid_request",
    hint: "a hint",
  });
});
