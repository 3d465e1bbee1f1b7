/** Subtitle files, compared with what the package writes for the same cues. */
import { expect, it } from "vitest";
import { subtitles } from "../src/lib/subtitles.js";

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
