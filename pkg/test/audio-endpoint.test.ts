/** Tests of utterances found by their energy, of text that two hypotheses agree on, and of the sound that is kept. */
import { describe, expect, it } from "vitest";
import { Agreement } from "../src/audio/agreement.js";
import { Endpointer, LONGEST, type Boundary } from "../src/audio/endpoint.js";
import { Recording } from "../src/audio/recording.js";

interface Part {
  kind: "quiet" | "speech";
  seconds: number;
  db?: number;
}

const quiet = (seconds: number, db = -70): Part => ({ kind: "quiet", seconds, db });
const speech = (seconds: number, db = -20): Part => ({ kind: "speech", seconds, db });

/** Returns noise of `floor` decibels with the parts; speech goes up and down four times a second, as syllables do. */
function soundOf(parts: Part[], rate: number, floor: number): Float32Array {
  let seed = 1;
  const noise = (): number => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 1_073_741_824 - 1;
  };
  const gain = (db: number): number => 10 ** (db / 20) * Math.sqrt(3);
  const samples = new Float32Array(parts.reduce((sum, { seconds }) => sum + Math.round(seconds * rate), 0));
  let at = 0;
  for (const { kind, seconds, db = 0 } of parts) {
    const [loud, low] = [gain(db), gain(floor)];
    for (let i = 0; i < Math.round(seconds * rate); i++) {
      const syllable = kind === "speech" ? Math.sin(2 * Math.PI * 4 * (i / rate)) ** 2 : 1;
      samples[at++] = loud * syllable * noise() + low * noise();
    }
  }
  return samples;
}

/** Returns the boundaries in seconds, rounded to tenths. */
function spans(parts: Part[], { rate = 8000, block = 1000, floor = -75 } = {}): string[] {
  const endpointer = new Endpointer(rate);
  const samples = soundOf(parts, rate, floor);
  const found: Boundary[] = [];
  for (let at = 0; at < samples.length; at += block) found.push(...endpointer.push(samples.subarray(at, at + block)));
  found.push(...endpointer.finish());
  expect(endpointer.isInside).toBe(false);
  return found.map(({ type, at }) => `${type} ${(at / rate).toFixed(1)}`);
}

describe("an utterance", () => {
  it("begins before its first loud moment and ends after its last", () => {
    const [start = "", end = "", ...more] = spans([quiet(2), speech(3), quiet(2)]);
    expect(start).toMatch(/^start 1\.[67]$/);
    expect(end).toMatch(/^end 5\.[12]$/);
    expect(more).toEqual([]);
  });

  it("ends by 600 ms without speech, and by nothing less", () => {
    expect(spans([quiet(1), speech(1), quiet(0.5), speech(1), quiet(1)])).toHaveLength(2);
    expect(spans([quiet(1), speech(1), quiet(0.8), speech(1), quiet(1)])).toHaveLength(4);
  });

  it("ends with the sound", () => {
    expect(spans([quiet(1), speech(2)]).at(-1)).toBe("end 3.0");
  });

  it("is none without speech", () => {
    expect(spans([quiet(20)])).toEqual([]);
    expect(spans([quiet(10, -200)], { floor: -200 })).toEqual([]);
    // A click.
    expect(spans([quiet(2), quiet(0.06, -10), quiet(2)])).toEqual([]);
    // Noise of a fan is heard until it is known, and then no more.
    expect(spans([quiet(2), quiet(20, -40)])).toHaveLength(2);
  });

  it("is heard above noise", () => {
    const found = spans([quiet(8), speech(2, -25), quiet(3), speech(2, -25), quiet(3)], { floor: -45 });
    // The first one is the noise itself.
    expect(found.slice(2).map((boundary) => boundary.replace(/\..*/, ""))).toEqual([
      "start 7",
      "end 10",
      "start 12",
      "end 15",
    ]);
  });

  it("is cut at its quietest point before a model's window is full", () => {
    const found = spans([quiet(1), speech(22), quiet(0.3, -60), speech(15), quiet(1)]);
    const [, cut = "", next] = found;
    expect(found).toHaveLength(4);
    expect(cut).toMatch(/^end 23\.[0-3]$/);
    // Nothing is lost between the two.
    expect(next).toBe(cut.replace("end", "start"));
  });

  it("is cut again and again, and never longer than it may be", () => {
    const found = spans([speech(100), quiet(1)]);
    const times = found.map((boundary) => Number(boundary.split(" ")[1]));
    expect(times.length / 2).toBeGreaterThanOrEqual(4);
    for (let i = 0; i < times.length; i += 2) {
      expect((times[i + 1] ?? 0) - (times[i] ?? 0)).toBeLessThanOrEqual(LONGEST + 0.1);
      if (i > 0) expect(times[i]).toBe(times[i - 1]);
    }
  });

  it("is the same at each rate and for each size of blocks", () => {
    const parts = [quiet(1), speech(1.5), quiet(1), speech(1), quiet(0.8)];
    const usual = spans(parts);
    expect(usual).toHaveLength(4);
    for (const block of [1, 128, 7777, 1_000_000]) expect(spans(parts, { block })).toEqual(usual);
    for (const rate of [16_000, 44_100, 48_000]) {
      const times = spans(parts, { rate }).map((boundary) => Number(boundary.split(" ")[1]));
      expect(times).toHaveLength(4);
      for (const [i, time] of times.entries())
        expect(Math.abs(time - Number(usual[i]?.split(" ")[1]))).toBeLessThan(0.15);
    }
  });
});

describe("a detector of voice", () => {
  /** Returns the boundaries in seconds of loud noise in which a detector hears speech, in spans of [from, to]. */
  function heard(seconds: number, speech: [number, number][], delay = 0): string[] {
    const rate = 16_000;
    const endpointer = new Endpointer(rate);
    const samples = soundOf([quiet(seconds, -20)], rate, -75);
    const isSpeech = (time: number): boolean => speech.some(([from, to]) => time >= from && time < to);
    const voice = Array.from({ length: Math.floor(seconds / 0.032) }, (_, i) => (isSpeech(i * 0.032) ? 0.9 : 0.1));
    const found: Boundary[] = [];
    let told = 0;
    for (let at = 0; at < samples.length; at += 800) {
      const known = Math.max(0, Math.floor((at + 800) / 512) - delay);
      found.push(...endpointer.push(samples.subarray(at, at + 800), voice.slice(told, known)));
      told = Math.max(told, known);
    }
    found.push(...endpointer.push(new Float32Array(), voice.slice(told)), ...endpointer.finish());
    return found.map(({ type, at }) => `${type} ${(at / rate).toFixed(1)}`);
  }

  it("finds speech in noise that is as loud, and none in noise alone", () => {
    expect(heard(10, [])).toEqual([]);
    expect(heard(12, [[3, 5]])).toEqual([
      expect.stringMatching(/^start 2\.[67]$/),
      expect.stringMatching(/^end 5\.[12]$/),
    ]);
  });

  it("may be late by any time", () => {
    const spans: [number, number][] = [
      [1, 2],
      [4, 7],
    ];
    const usual = heard(10, spans);
    expect(usual).toHaveLength(4);
    for (const delay of [1, 10, 100, 1000]) expect(heard(10, spans, delay)).toEqual(usual);
  });
});

describe("two hypotheses", () => {
  function after(...hypotheses: string[]): [string, string] {
    const agreement = new Agreement();
    let last = { settled: "", tentative: "" };
    for (const hypothesis of hypotheses) last = agreement.add(hypothesis);
    return [last.settled, last.tentative];
  }

  it.each([
    [["The hearth"], "", "The hearth"],
    [["The hearth", "The hearth is warm"], "The hearth", " is warm"],
    [["The hea", "The hearth"], "The", " hearth"],
    [["The hearth.", "The hearth, and"], "The hearth", ", and"],
    [["I think.", "I think.", "I think that"], "I think", " that"],
    [["don", "don't do"], "", "don't do"],
    [["one two", "won two"], "", "won two"],
    [["今天天气", "今天天气很好"], "今天天气", "很好"],
    [["สวัสดี", "สวัสดีครับ"], "สวัสดี", "ครับ"],
    [["", "", ""], "", ""],
  ])("agree up to the end of a word: %j", (hypotheses, settled, tentative) => {
    expect(after(...hypotheses)).toEqual([settled, tentative]);
  });

  it("are followed where they change their mind", () => {
    // As whisper-tiny.en hears Dickens.
    const [first, second] = ["It was the epoch of belief that was", "It was the epoch of belief, it was the epoch of"];
    expect(after(first, first, second)).toEqual(["It was the epoch of belief", ", it was the epoch of"]);
    expect(after(first, first, second, second)).toEqual([second, ""]);
  });

  it("of another utterance begin again", () => {
    const agreement = new Agreement();
    agreement.add("one");
    agreement.add("one");
    agreement.reset();
    expect(agreement.add("one")).toEqual({ settled: "", tentative: "one" });
  });
});

describe("sound that is kept", () => {
  it("is found by its number until it is forgotten", () => {
    const recording = new Recording();
    for (const block of [[0, 1, 2], [3], [], [4, 5, 6, 7]]) recording.push(Float32Array.from(block));
    expect(recording.end).toBe(8);
    expect([...recording.slice(0, 8)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...recording.slice(2, 6)]).toEqual([2, 3, 4, 5]);
    recording.forget(4);
    expect([...recording.slice(4, 8)]).toEqual([4, 5, 6, 7]);
    expect([...recording.slice(0, 5)]).toEqual([0, 0, 0, 0, 4]);
    expect([...recording.slice(5, 4)]).toEqual([]);
  });
});
