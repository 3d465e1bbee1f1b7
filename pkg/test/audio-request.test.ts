/** Tests of the fields of requests for speech, and of the languages' names. */
import { describe, expect, it } from "vitest";
import { codeOf, LANGUAGES } from "../src/audio/languages.js";
import type { SpeechInfo } from "../src/audio/link.js";
import { toSpeechRequest, type SpeechRequest } from "../src/audio/request.js";
import { sound } from "./audio-support.js";

const MODEL: SpeechInfo = {
  name: "whisper-base",
  isMultilingual: true,
  languages: ["en", "de", "zh", "jw"],
  device: "cpu",
  nMels: 80,
  parameters: 1,
  bytes: 1,
};
const ENGLISH: SpeechInfo = { ...MODEL, name: "whisper-base.en", isMultilingual: false, languages: ["en"] };

function request(fields: object, model = MODEL, task: "transcribe" | "translate" = "transcribe"): SpeechRequest {
  return toSpeechRequest(task, { file: sound(1), ...fields }, model);
}

const refused = (fields: object, model = MODEL): string => {
  try {
    request(fields, model);
  } catch (error) {
    expect(error).toMatchObject({ code: "invalid_request" });
    return (error as Error).message.replace("invalid request: ", "");
  }
  return "nothing is wrong";
};

describe("fields", () => {
  it("have openai/whisper's defaults, but for the text before", () => {
    expect(request({ model: "whisper-1", stream: false, prompt: null })).toEqual({
      options: {
        task: "transcribe",
        temperatures: [0, 0.2, 0.4, 0.6, 0.8, 1],
        timestamps: true,
        words: false,
        vadFilter: false,
        bestOf: 1,
        conditionOnPreviousText: false,
        noSpeechThreshold: 0.6,
        logprobThreshold: -1,
        compressionRatioThreshold: 2.4,
        seed: 0,
      },
      format: "json",
      withSegments: true,
    });
  });

  it("reach the module under its names", () => {
    const { options } = request({
      language: "German",
      prompt: "Herd",
      temperature: [0, 0.5],
      vad_filter: true,
      best_of: 5,
      condition_on_previous_text: true,
      no_speech_threshold: 0.5,
      logprob_threshold: -2,
      compression_ratio_threshold: 3,
    });
    expect(options).toMatchObject({
      language: "de",
      prompt: "Herd",
      temperatures: [0, 0.5],
      vadFilter: true,
      bestOf: 5,
      conditionOnPreviousText: true,
      noSpeechThreshold: 0.5,
      logprobThreshold: -2,
      compressionRatioThreshold: 3,
    });
  });

  it("of a temperature are OpenAI's: 0 rises, another one is tried alone", () => {
    expect(request({ temperature: 0 }).options.temperatures).toHaveLength(6);
    expect(request({ temperature: 0.3 }).options.temperatures).toEqual([0.3]);
  });

  it.each([
    [{ best_of: 0 }, "best_of must be an integer from 1 to 16, found 0"],
    [{ vad_filter: "yes" }, 'vad_filter must be true or false, found "yes"'],
    [{ hotwords: "Hearth" }, 'hotwords must be absent, because it is not supported, found "Hearth"'],
    [{ chunking_strategy: "auto" }, 'chunking_strategy must be absent, because it is not supported, found "auto"'],
    [{ response_format: "diarized_json" }, "response_format must be one of json, text, srt, vtt, verbose_json"],
    [{ response_format: "srt", stream: true }, 'response_format must be json or text for a stream, found "srt"'],
    [{ timestamp_granularities: ["word"] }, 'timestamp_granularities must be absent unless response_format is "verb'],
    [{ timestamp_granularities: ["letter"], response_format: "verbose_json" }, "timestamp_granularities must be an a"],
    [{ temperature: 3 }, "temperature must be a number from 0 to 2, or an array of such, found 3"],
    [{ temperature: [] }, "temperature must be a number from 0 to 2, or an array of such, found []"],
    [{ temperature: "0" }, "temperature must be a number"],
    [{ logprob_threshold: -Infinity }, 'logprob_threshold must be a finite number, found "-Infinity"'],
    [{ stream: "true" }, 'stream must be true or false, found "true"'],
    [{ prompt: 5 }, "prompt must be a text, found 5"],
    [{ language: "elvish" }, 'language must be the code or English name of a language of Whisper, found "elvish"'],
    [{ language: "yue" }, 'language must be one that whisper-base knows, and cantonese is none, found "yue"'],
  ])("that make no sense are named: %j", (fields, message) => {
    expect(refused(fields)).toContain(message);
  });

  it("of a model for English take nothing else", () => {
    expect(request({ language: "en" }, ENGLISH).options).not.toHaveProperty("language");
    expect(refused({ language: "de" }, ENGLISH)).toBe(
      'language must be absent or "en" for whisper-base.en, which knows English only, found "de"',
    );
    expect(() => request({}, ENGLISH, "translate")).toThrow("model must be a multilingual one to translate");
  });
});

describe("languages", () => {
  it("are Whisper's 100, each with one name", () => {
    expect(LANGUAGES.size).toBe(100);
    expect(new Set(LANGUAGES.values()).size).toBe(100);
    expect([...LANGUAGES.keys()].filter((code) => !/^[a-z]{2,3}$/.test(code))).toEqual([]);
    expect([...LANGUAGES].at(-1)).toEqual(["yue", "cantonese"]);
    for (const [code, name] of LANGUAGES) expect([codeOf(code), codeOf(name)]).toEqual([code, code]);
  });

  it.each([
    ["English", "en"],
    [" de ", "de"],
    ["haitian creole", "ht"],
    ["Mandarin", "zh"],
    ["pt-BR", "pt"],
    ["zh_TW", "zh"],
    ["jv", "jw"],
    ["", undefined],
    ["klingon", undefined],
  ])("are known by code, name or region: %s", (given, code) => {
    expect(codeOf(given)).toBe(code);
  });
});
