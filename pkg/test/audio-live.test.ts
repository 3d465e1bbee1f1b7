/** Tests of live transcription: utterances and their texts, what waits, and how it ends. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LiveTranscription, type LiveText } from "../src/audio/live.js";
import { HearthError } from "../src/core/errors.js";
import { Live, settle, Source } from "./audio-live-support.js";
import { fake } from "./audio-module.js";
import { create, useFakeModule } from "./audio-support.js";

useFakeModule();

let live: Live;

beforeEach(() => {
  live = new Live();
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("utterances", () => {
  it("are written down in the worker, at the device's rate", async () => {
    const { audio } = await create();
    live.source = new Source(48_000);
    live.source.quiet(1).speech(2).quiet(1).speech(1).quiet(1).end();
    const given: LiveText[] = [];
    for await (const text of audio.live({ stream: live.source.stream, onText: (text) => given.push(text) }))
      live.texts.push(text);
    const finals = live.texts.filter(({ type }) => type === "final");
    expect(finals.map(({ text }) => text)).toEqual(["w1 w2 w3", "w1 w2"]);
    expect(finals[0]?.start).toBeCloseTo(0.7, 0);
    expect(finals[0]?.end).toBeCloseTo(3.2, 0);
    expect(given).toEqual(live.texts);
    expect(new Set(fake.resampled)).toEqual(new Set([48_000]));
    expect(fake.mostLive).toBe(1);
    await vi.waitFor(() => {
      expect([fake.listeners, fake.freedListeners]).toEqual([1, 1]);
    });
  });

  it.each([
    ["is not asked for", false, false],
    ["has failed", true, true],
  ])("are found by their energy if a detector %s", async (_, vad, isDeaf) => {
    live.speech.isDeaf = isDeaf;
    live.listen({ vad });
    live.source.quiet(1).speech(0.4).quiet(1).end();
    (await live.run(1)).answer(" Warm.");
    await live.ended;
    expect([live.seen, live.speech.listeners.size]).toEqual([["! Warm."], 0]);
  });

  it("need no times, and take the language that is given", async () => {
    live.listen({ language: "German" });
    live.source.quiet(1).speech(0.4).quiet(1).end();
    const { options, seconds, answer } = await live.run(1);
    expect(options).toMatchObject({ task: "transcribe", timestamps: false, language: "de" });
    expect(options.temperatures).toHaveLength(6);
    expect(seconds).toBeGreaterThan(0.5);
    answer(" Guten Tag.");
    await live.ended;
    expect(live.texts).toMatchObject([{ type: "final", text: "Guten Tag." }]);
  });

  it("in which nothing is heard are not mentioned", async () => {
    live.listen();
    live.source.quiet(1).speech(0.4).quiet(1).end();
    (await live.run(1)).answer(" ");
    await live.ended;
    expect([live.texts, live.failure]).toEqual([[], undefined]);
  });
});

describe("partial texts", () => {
  it("are what two hypotheses agree on", async () => {
    live.listen();
    live.source.quiet(1).speech(1);
    const first = await live.run(1);
    expect(first.options.temperatures).toEqual([0]);
    first.answer(" The hearth.");
    live.source.speech(0.75);
    const second = await live.run(2);
    expect(second.seconds).toBeGreaterThan(first.seconds);
    second.answer(" The hearth is warm");
    await settle();
    live.source.quiet(1).end();
    (await live.run(3)).answer(" The hearth is warm.");
    await live.ended;
    expect(live.seen).toEqual(["? |The hearth.", "? The hearth| is warm", "! The hearth is warm."]);
    expect(live.texts[1]?.start).toBe(live.texts[2]?.start);
  });

  it("are given up when their utterance ends", async () => {
    live.listen();
    live.source.quiet(1).speech(1);
    const partial = await live.run(1);
    live.source.quiet(1);
    const final = await live.run(2);
    expect([partial.isAborted(), final.isAborted()]).toEqual([true, false]);
    final.answer(" Warm.");
    live.source.end();
    await live.ended;
    expect([live.seen, live.failure]).toEqual([["! Warm."], undefined]);
  });

  it("are replaced by nothing if nothing was said after all", async () => {
    live.listen();
    live.source.quiet(1).speech(1);
    (await live.run(1)).answer(" You");
    await settle();
    live.source.quiet(1).end();
    (await live.run(2)).answer("");
    await live.ended;
    expect(live.seen).toEqual(["? |You", "! "]);
  });

  it("wait for a second of new sound where the last one was slow", async () => {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    live.listen();
    live.source.quiet(1).speech(1);
    const first = await live.run(1);
    now += 1500;
    first.answer(" One");
    live.source.speech(0.75);
    await settle();
    expect(live.speech.asked).toHaveLength(1);
    live.source.speech(0.5);
    const second = await live.run(2);
    now += 200;
    second.answer(" One two");
    // This one was fast.
    live.source.speech(0.75);
    (await live.run(3)).answer(" One two three");
    live.source.end();
    (await live.run(4)).answer(" One two three");
    await live.ended;
    expect(live.speech.most).toBe(1);
  });
});

describe("where runs are slow", () => {
  it("one waits at most, and other sound is not read before", async () => {
    live.listen();
    for (let i = 0; i < 5; i++) live.source.quiet(1).speech(0.4);
    live.source.quiet(1).end();
    const first = await live.run(1);
    await settle();
    expect([live.speech.asked.length, live.speech.most]).toEqual([1, 1]);
    // Two utterances were heard, and the third one, which has to wait until there is room.
    expect(live.source.waiting.length).toBeGreaterThan(3);
    first.answer(" one");
    for (let i = 2; i <= 5; i++) (await live.run(i)).answer(` ${String(i)}`);
    await live.ended;
    expect([live.seen, live.speech.most]).toEqual([["! one", "! 2", "! 3", "! 4", "! 5"], 1]);
  });
});

describe("the end", () => {
  it("by stop() still has what was said", async () => {
    const transcription = live.listen();
    live.source.quiet(1).speech(0.4);
    await settle();
    transcription.stop();
    (await live.run(1)).answer(" Goodbye.");
    await live.ended;
    expect([live.seen, live.failure, live.source.isCancelled]).toEqual([["! Goodbye."], undefined, true]);
  });

  it("by a signal is one at once", async () => {
    const controller = new AbortController();
    live.listen({ signal: controller.signal });
    live.source.quiet(1).speech(0.4).quiet(1);
    const { isAborted } = await live.run(1);
    controller.abort("enough");
    await live.ended;
    expect(live.failure).toMatchObject({ code: "cancelled", cause: "enough" });
    expect([isAborted(), live.source.isCancelled]).toEqual([true, true]);
  });

  it("by a signal that had fired before is one as well", async () => {
    live.listen({ signal: AbortSignal.abort() });
    await live.ended;
    expect([live.failure, live.source.isCancelled]).toEqual([expect.objectContaining({ code: "cancelled" }), true]);
  });

  it("comes with leaving the loop", async () => {
    const transcription = new LiveTranscription(live.speech, { stream: live.source.stream });
    live.source.quiet(1).speech(0.4).quiet(1);
    (await live.run(1)).answer(" Hello.");
    for await (const { text } of transcription) {
      expect(text).toBe("Hello.");
      break;
    }
    await vi.waitFor(() => {
      expect(live.source.isCancelled).toBe(true);
    });
  });

  it.each(["final", "partial"])("comes with a run that fails: %s", async (type) => {
    live.listen();
    live.source.quiet(1).speech(1);
    if (type === "final") live.source.quiet(1).end();
    // The final text gives up the partial one.
    (await live.run(type === "final" ? 2 : 1)).fail(new HearthError("worker_died", "it died"));
    await live.ended;
    expect(live.failure).toMatchObject({ code: "worker_died" });
  });

  it("names what is wrong with the request", async () => {
    live.listen({ language: "elvish" });
    await live.ended;
    expect(live.failure).toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("elvish") as string,
    });
    live.source.stream.getReader();
    live.listen();
    await live.ended;
    expect(live.failure).toMatchObject({ message: expect.stringContaining("one that nothing else reads") as string });
  });

  it("names blocks of another rate, or of none", async () => {
    live.listen();
    live.source.quiet(0.1);
    live.source.waiting.push({ samples: new Float32Array(9), sampleRate: 8000 });
    await live.ended;
    expect(live.failure).toMatchObject({ message: expect.stringContaining("blocks of 16000 Hz throughout") as string });
    live.source = new Source();
    live.source.waiting.push({ samples: new Float32Array(9), sampleRate: NaN });
    live.listen();
    await live.ended;
    expect(live.failure).toMatchObject({ message: expect.stringContaining("a sampleRate in hertz") as string });
  });
});
