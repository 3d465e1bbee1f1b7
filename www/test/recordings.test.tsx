// @vitest-environment happy-dom
/** Recordings and their text, in a document of happy-dom, with a model that a test dictates. */
import { render } from "preact";
import { act } from "preact/test-utils";
import { HearthError } from "hearth-llm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { dictation } from "../src/state/dictating.js";
import { draft, write } from "../src/state/draft.js";
import { model } from "../src/state/model.js";
import { change } from "../src/state/settings.js";
import { installed } from "../src/state/plan.js";
import { loadSpeech, readySpeech, speechModel, unloadSpeech } from "../src/state/transcriber.js";
import { recordings, removeRecording } from "../src/state/transcripts.js";
import { dialog } from "../src/ui/dialogs.js";
import { takeFiles } from "../src/ui/intake.js";
import { SpeechDialog } from "../src/ui/SpeechDialog.js";
import { spokenBackend } from "./backends.js";
import { FakeTranscriber, type Hearing } from "./transcribers.js";

vi.mock("hearth-llm/audio", async () => (await import("./transcribers.js")).fakeAudio);
const kept = vi.hoisted(() => ({ list: (): Promise<object[]> => Promise.resolve([]) }));
vi.mock("hearth-llm/cache", () => ({ list: () => kept.list(), persist: () => Promise.resolve(true) }));

const WAVE = "RIFF\x10\0\0\0WAVEfmt ";
const SEGMENTS = [
  { start: 0, end: 4.2, text: " It was the best of times," },
  { start: 4.2, end: 75, text: " it was the worst of times." },
];

const find = (selector: string): HTMLElement | null => document.querySelector<HTMLElement>(selector);
const settle = (): Promise<void> => act(() => new Promise((resolve) => setTimeout(resolve, 30)));
const states = (): string[] => recordings.value.map(({ state }) => state);
const wave = (name: string): File => new File([WAVE], name, { type: "audio/wav" });

async function press(selector: string): Promise<void> {
  await act(() => {
    find(selector)?.click();
  });
  await settle();
}

/** Drops files, with a model that is there; returns how each is listened to. */
async function drop(...files: File[]): Promise<readonly Hearing[]> {
  if (speechModel.value.name === "none") await loadSpeech("/models/whisper/");
  await act(() => takeFiles(files));
  await act(() => {
    render(<SpeechDialog />, document.body);
  });
  await settle();
  return FakeTranscriber.last.hearings;
}

let copied: string[];

beforeEach(() => {
  FakeTranscriber.created = [];
  FakeTranscriber.asked = [];
  FakeTranscriber.creating = undefined;
  kept.list = () => Promise.resolve([]);
  copied = [];
  const writeText = (text: string): Promise<void> => Promise.resolve(void copied.push(text));
  Object.defineProperty(navigator, "clipboard", { value: { writeText }, configurable: true });
});

afterEach(async () => {
  for (const { key } of recordings.value) removeRecording(key);
  await settle();
  render(null, document.body);
  unloadSpeech();
  model.value = { name: "none" };
  dialog.value = undefined;
  dictation.value = { name: "off" };
  installed.value = [];
  change({ speechModel: "", speechLanguage: "", language: "en" });
  write("");
});

describe("a recording", () => {
  it("shows how far it is, its text with times, and its language", async () => {
    const [hearing] = await drop(wave("tale.wav"));
    expect(dialog.value).toBe("speech");
    expect(find("#recordings li")?.dataset.state).toBe("listening");
    expect(find("#speech-status")?.textContent).toBe("Transcribing tale.wav");
    expect(find("#recordings progress")?.hasAttribute("value")).toBe(false);
    await act(() => hearing?.onProgress({ seconds: 30, duration: 75, segments: [] }));
    expect(document.querySelector<HTMLProgressElement>("#recordings progress")?.value).toBe(0.4);
    expect(find("#recordings small")?.textContent).toBe("16 B · 0:30 of 1:15 · Listening…");
    await act(() => hearing?.onProgress({ seconds: 30, duration: 75, segments: SEGMENTS.slice(0, 1) }));
    expect(find(".segments")?.textContent).toBe("0:00It was the best of times,");
    hearing?.finish(SEGMENTS, "german");
    await settle();
    expect(find("#recordings li")?.dataset.state).toBe("done");
    const lines = [...document.querySelectorAll(".segments li")].map(({ textContent }) => textContent);
    expect(lines).toEqual(["0:00It was the best of times,", "0:04it was the worst of times."]);
    expect(find("#recordings small")?.textContent).toBe("16 B · 1:15 · German · Finished");
    expect(find("#speech-status")?.textContent).toBe("1 recording is transcribed");
    expect(find(".segments")?.getAttribute("aria-label")).toBe("Text of tale.wav");
  });

  it("is copied as text and as subtitles, and put into the message", async () => {
    model.value = { name: "running", choice: { source: "fake", options: {} }, backend: spokenBackend().backend };
    const [hearing] = await drop(wave("tale.wav"));
    hearing?.finish(SEGMENTS);
    await settle();
    for (const format of ["text", "srt", "vtt"]) await press(`[data-format="${format}"]`);
    const text = "It was the best of times,\nit was the worst of times.";
    expect(copied[0]).toBe(text);
    expect(copied[1]).toMatch(/^1\n00:00:00,000 --> 00:00:04,200\nIt was the best/);
    expect(copied[2]).toMatch(/^WEBVTT\n\n00:00:00\.000 --> /);
    expect(find(".outcome")?.textContent).toBe("Copied.");
    expect(find(".outcome")?.getAttribute("role")).toBe("status");
    write("Sum this up:");
    await press(".put-in");
    expect(draft.value).toBe(`Sum this up: ${text}`);
    expect(dialog.value).toBeUndefined();
  });

  it("says if the browser does not let the page copy, and offers no message where there is none", async () => {
    const [hearing] = await drop(wave("tale.wav"));
    hearing?.finish(SEGMENTS);
    await settle();
    Object.defineProperty(navigator, "clipboard", {
      value: { writeText: () => Promise.reject(new DOMException("", "NotAllowedError")) },
    });
    await press('[data-format="text"]');
    expect(find(".outcome")?.textContent).toBe("The browser did not let the page copy.");
    expect(find(".put-in")).toBeNull();
  });

  it("is stopped, keeps its text, and can be transcribed again", async () => {
    const hearings = await drop(wave("tale.wav"));
    await act(() => hearings[0]?.onProgress({ seconds: 30, duration: 75, segments: SEGMENTS.slice(0, 1) }));
    await press(".stop");
    expect(hearings[0]?.signal.aborted).toBe(true);
    expect(states()).toEqual(["stopped"]);
    expect(find(".segments")?.textContent).toContain("best of times");
    await press("#recordings .row button:last-of-type");
    expect(states()).toEqual(["listening"]);
    expect(hearings).toHaveLength(2);
    expect(find(".segments")).toBeNull();
  });

  it("waits its turn, and the next one begins when one is removed", async () => {
    const hearings = await drop(wave("a.wav"), wave("b.wav"), wave("c.wav"));
    expect(states()).toEqual(["listening", "waiting", "waiting"]);
    await press('[aria-label="Stop b.wav"]');
    expect(states()).toEqual(["listening", "stopped", "waiting"]);
    await press('[aria-label="Remove a.wav"]');
    expect(states()).toEqual(["stopped", "listening"]);
    expect(hearings.map(({ file }) => file.name)).toEqual(["a.wav", "c.wav"]);
    // Its stop is not lost with the one before.
    await press('[aria-label="Stop c.wav"]');
    expect(hearings[1]?.signal.aborted).toBe(true);
    expect(states()).toEqual(["stopped", "stopped"]);
  });

  it("that cannot be read says so in its own words, and the next one is read", async () => {
    const hearings = await drop(wave("a.wav"), wave("b.wav"));
    hearings[0]?.fail(new HearthError("bad_audio", "a.wav is cut off"));
    await settle();
    expect(states()).toEqual(["failed", "listening"]);
    const alert = find("#recordings [role=alert]");
    expect(alert?.dataset.code).toBe("undecodable");
    expect(alert?.textContent).toContain("no sound in this file that the browser can read");
    expect(alert?.textContent).toContain("a.wav is cut off");
    hearings[1]?.fail(new HearthError("out_of_memory", "no memory"));
    await settle();
    expect(recordings.value[1]?.failure?.fault).toBe("broken");
  });

  it("without a word in it says so", async () => {
    const [hearing] = await drop(wave("silence.wav"));
    hearing?.finish([], "unknown");
    await settle();
    expect(find("#recordings li")?.textContent).toContain("No speech was heard");
    expect(recordings.value[0]).not.toHaveProperty("language");
  });

  it("is taken by name or type too if its content tells nothing, and no document is", async () => {
    await drop(new File([new Uint8Array(100)], "call.amr"), new File([new Uint8Array(9)], "x", { type: "audio/3gpp" }));
    expect(recordings.value.map(({ name }) => name)).toEqual(["call.amr", "x"]);
    dialog.value = undefined;
    await takeFiles([new File([WAVE], "picked.wav")], { say: () => undefined, refusal: String });
    // The import of conversations takes none.
    expect(recordings.value).toHaveLength(2);
  });
});

describe("the model", () => {
  it("is asked for by the first recording, which then begins", async () => {
    await act(() => takeFiles([wave("tale.wav")]));
    await act(() => {
      render(<SpeechDialog />, document.body);
    });
    await settle();
    expect(find("#speech-no-model")?.textContent).toBe("There is no speech model yet: choose one above.");
    const field = document.querySelector<HTMLInputElement>("#speech-address");
    if (field !== null) field.value = "/models/whisper-tiny.en/";
    await act(() => {
      find("#speech-address-form")?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
    });
    await settle();
    expect(FakeTranscriber.asked[0]?.model).toBe("/models/whisper-tiny.en/");
    expect(find("#speech-no-model")).toBeNull();
    expect(states()).toEqual(["listening"]);
    expect(find("#speech-ready")?.textContent).toContain("whisper-tiny.en is ready to listen.");
  });

  it("is that of the last visit if it is still on this device, and otherwise fetched by nobody", async () => {
    change({ speechModel: "https://example.org/ggml-base.bin" });
    expect(await readySpeech()).toBeUndefined();
    expect(FakeTranscriber.asked).toEqual([]);
    const file = { url: "https://example.org/ggml-base.bin", total: 5, bytes: 5, complete: true, time: null };
    kept.list = () => Promise.resolve([file]);
    expect(await readySpeech()).toBe(FakeTranscriber.last);
    expect(await readySpeech()).toBe(FakeTranscriber.last);
    expect(FakeTranscriber.asked).toHaveLength(1);
  });

  it("of one repository is not mistaken for another in it", async () => {
    const folder = "https://huggingface.co/ggerganov/whisper.cpp/resolve/main/";
    const file = { url: `${folder}ggml-tiny.en-q5_1.bin`, total: 5, bytes: 5, complete: true, time: null };
    kept.list = () => Promise.resolve([file]);
    change({ speechModel: `${folder}ggml-base-q5_1.bin` });
    expect(await readySpeech()).toBeUndefined();
    change({ speechModel: `${folder}ggml-tiny.en-q5_1.bin` });
    expect(await readySpeech()).toBeDefined();
  });

  it("can be given up, files of one's own can be taken, and they are not remembered", async () => {
    let ready = (): void => undefined;
    FakeTranscriber.creating = () =>
      new Promise((resolve) => {
        ready = resolve;
      });
    await act(() => {
      render(<SpeechDialog />, document.body);
    });
    void loadSpeech("/models/whisper/");
    await settle();
    await press("#speech-cancel");
    expect(FakeTranscriber.asked[0]?.signal.aborted).toBe(true);
    ready();
    await settle();
    expect(speechModel.value.name).toBe("none");
    FakeTranscriber.creating = undefined;
    change({ speechModel: "before" });
    await loadSpeech([new File(["x"], "model.bin")]);
    await settle();
    expect(find("#speech-ready")?.textContent).toContain("model.bin is ready");
    expect(JSON.parse(localStorage.getItem("hearth.settings") ?? "{}")).toMatchObject({ speechModel: "" });
  });

  it("is replaced while it listens: the next one begins the recording again", async () => {
    await drop(wave("tale.wav"));
    const first = FakeTranscriber.last;
    await press("#speech-change");
    expect(first.isDisposed).toBe(true);
    expect(states()).toEqual(["waiting"]);
    await act(async () => {
      await loadSpeech("/models/other/");
    });
    await settle();
    expect(FakeTranscriber.last.hearings).toHaveLength(1);
    expect(states()).toEqual(["listening"]);
  });

  it("is told the language that the visitor chose", async () => {
    await loadSpeech("/models/whisper/");
    await drop();
    const choice = document.querySelector<HTMLSelectElement>("#speech-language");
    expect([...(choice?.options ?? [])].map(({ text }) => text)).toEqual([
      "The model finds out",
      "Chinese",
      "English",
      "German",
    ]);
    await act(() => {
      if (choice !== null) choice.value = "de";
      choice?.dispatchEvent(new Event("change", { bubbles: true }));
    });
    const [hearing] = await drop(wave("tale.wav"));
    expect(hearing?.language).toBe("de");
  });

  it("listens to one thing at a time: recordings wait for dictation", async () => {
    dictation.value = { name: "listening" };
    const hearings = await drop(wave("tale.wav"));
    expect(states()).toEqual(["waiting"]);
    await act(() => {
      dictation.value = { name: "off" };
    });
    await settle();
    expect(hearings).toHaveLength(1);
  });

  it("speaks Chinese", async () => {
    change({ language: "zh-CN" });
    const [hearing] = await drop(wave("tale.wav"));
    hearing?.finish(SEGMENTS, "german");
    await settle();
    expect(find("#speech")?.textContent).toContain("声音不会发送到任何地方");
    expect(find("#recordings small")?.textContent).toBe("16 B · 1:15 · 德语 · 已完成");
  });
});
