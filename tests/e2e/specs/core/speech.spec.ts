/** Whisper tiny.en writes down a recording as transformers does, in browsers, and can be stopped. */
import { readFileSync } from "node:fs";
import { BASE_URL, goldenFile, IS_FAKE } from "../../support/env.js";
import { oneBrowser } from "../../support/full.js";
import { SKIPS } from "../../support/skips.js";
import { expect, test } from "../../support/test.js";

type Audio = typeof import("hearth-llm/audio");

interface Golden {
  long_form: { text: string; segments: { start: number; end: number; text: string }[] };
}

const HAS_SPEECH = process.env.HEARTH_WHISPER_TINY_EN !== undefined && process.env.HEARTH_SPEECH_WAV !== undefined;

/** A tiny model with drawn weights, and the samples of its goldens. */
const TINY_WHISPER = "/tests/goldens/data/whisper/whisper_mel80";

for (const browser of oneBrowser("chromium")) {
  test(`a network on the GPU writes down what one on the CPU does · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    const { tab } = await launch(browser);
    await tab.goto(BASE_URL);
    const found = await tab.evaluate(
      async ({ entry, model, sound }) => {
        const { Transcriber } = (await import(entry)) as Audio;
        const samples = new Float32Array(await (await fetch(sound)).arrayBuffer());
        const runs = [];
        for (const device of ["cpu", "webgpu"] as const) {
          const transcriber = await Transcriber.create({ model, device, cache: "no-store" });
          const { text, segments, words } = await transcriber.audio.transcriptions.create({
            file: { samples, sampleRate: 16_000 },
            language: "en",
            temperature: [0],
            response_format: "verbose_json",
            timestamp_granularities: ["segment", "word"],
          });
          const ids = segments?.flatMap(({ tokens }) => tokens);
          runs.push({ device: transcriber.model.device, text, ids, words: words?.map(({ word }) => word) });
          transcriber.dispose();
        }
        return runs;
      },
      {
        entry: `${BASE_URL}pkg/dist/audio/index.js`,
        model: new URL(`${TINY_WHISPER}/`, BASE_URL).href,
        sound: new URL(`${TINY_WHISPER}_samples.bin`, BASE_URL).href,
      },
    );
    const [cpu, gpu] = found;
    expect(cpu?.device).toBe("cpu");
    expect(cpu?.ids?.length).toBeGreaterThan(8);
    expect(gpu).toEqual({ ...cpu, device: "webgpu" });
    expect(tab.errors).toEqual([]);
  });
}

// The page's spec hears a recording in Firefox.
for (const browser of oneBrowser("chromium")) {
  test(`a recording is written down · ${browser}`, async ({ launch }) => {
    test.skip(IS_FAKE, SKIPS.fake);
    test.skip(!HAS_SPEECH, SKIPS.Whisper);
    const { tab } = await launch(browser);
    await tab.goto(BASE_URL);
    const found = await tab.evaluate(
      async ({ entry, model, recording }) => {
        const { Transcriber } = (await import(entry)) as Audio;
        const transcriber = await Transcriber.create({ model });
        const response = await fetch(recording);
        const file = new File([await response.blob()], "recording.wav", { type: "audio/wav" });
        const begun = performance.now();
        const verbose = await transcriber.audio.transcriptions.create({ file, response_format: "verbose_json" });
        const ms = performance.now() - begun;
        // The first 5 s: 48,000 samples of 2 bytes a second, after the header.
        const start = new Uint8Array(await file.arrayBuffer()).slice(0, 44 + 5 * 96_000);
        new DataView(start.buffer).setUint32(40, 5 * 96_000, true);
        const srt = await transcriber.audio.transcriptions.create({ file: start.buffer, response_format: "srt" });
        // Aborted in its first window.
        const controller = new AbortController();
        const stopped = transcriber.audio.transcriptions
          .create(
            {
              file,
              onProgress: () => {
                controller.abort();
              },
            },
            { signal: controller.signal },
          )
          .then(
            () => "done",
            (error: unknown) => (error as { code: string }).code,
          );
        const code = await stopped;
        const refused = await transcriber.audio.translations.create({ file }).then(
          () => "done",
          (error: unknown) => (error as { code: string }).code,
        );
        transcriber.dispose();
        return { verbose, srt, code, refused, ms };
      },
      {
        entry: `${BASE_URL}pkg/dist/audio/index.js`,
        model: new URL("/models/whisper-tiny.en/", BASE_URL).href,
        recording: new URL("/models/speech/two_cities.wav", BASE_URL).href,
      },
    );
    const golden = JSON.parse(readFileSync(goldenFile("real/whisper_tiny_en.json"), "utf8")) as Golden;
    const { duration, segments, text } = found.verbose;
    console.log(`${duration.toFixed(1)} s of sound in ${(found.ms / 1000).toFixed(1)} s`);
    expect(text.trim()).toBe(golden.long_form.text.trim());
    expect(segments?.map(({ start, end }) => [start, end].map((time) => time.toFixed(2)))).toEqual(
      golden.long_form.segments.map(({ start, end }) => [start, end].map((time) => time.toFixed(2))),
    );
    expect(found.srt).toMatch(
      /^1\n00:00:00,000 --> 00:00:0[45],\d{3}\nIt was the best of times, it was the worst of times/,
    );
    expect(found.code).toBe("cancelled");
    expect(found.refused).toBe("invalid_request");
  });
}
