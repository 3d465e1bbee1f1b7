/** Subtitle files, compared with what the package writes for the same cues. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { subtitles, type Cue } from "../src/lib/subtitles.js";

/** Three minutes as transformers' long form writes them down, which the module does, too (`speech_long.rs`). */
const GOLDEN = join(import.meta.dirname, "../../tests/goldens/data/real/whisper_long_form.json");

/** The cues and texts of the test in `audio/src/subtitles.rs`. */
const CUES = [
  { start: 0, end: 59.9995, text: " Hello,\n\n<b>you</b> & --> me" },
  { start: 3661.25, end: 360_000, text: "end" },
];

it("is SubRip", () => {
  expect(subtitles("srt", CUES)).toBe(
    "1\n00:00:00,000 --> 00:01:00,000\nHello,\n<b>you</b> & -> me\n\n2\n01:01:01,250 --> 100:00:00,000\nend\n\n",
  );
});

it("is WebVTT", () => {
  expect(subtitles("vtt", CUES)).toBe(
    "WEBVTT\n\n00:00:00.000 --> 00:01:00.000\nHello,\n&lt;b&gt;you&lt;/b&gt; &amp; --&gt; me\n\n01:01:01.250 --> 100:00:00.000\nend\n\n",
  );
});

it("is the file of transformers' long form for its segments", () => {
  const { segments, srt } = JSON.parse(readFileSync(GOLDEN, "utf8")) as { segments: Cue[]; srt: string };
  expect(segments.length).toBeGreaterThan(30);
  expect(subtitles("srt", segments)).toBe(srt);
});
