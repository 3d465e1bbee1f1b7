// @vitest-environment happy-dom
/** Transcripts that outlast the page: each test opens the page again, with nothing but what the database has. */
import { IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { FakeTranscriber } from "./transcribers.js";

vi.mock("hearth-llm/cache", () => ({ list: () => Promise.resolve([]), persist: () => Promise.resolve(true) }));

const SEGMENTS = [
  { start: 0, end: 4.2, text: " It was the best of times," },
  { start: 4.2, end: 75, text: " it was the worst of times." },
];
const LINES = ["0:00It was the best of times,", "0:04it was the worst of times."];

interface Page {
  /** Returns how the file is listened to. */
  drop(name: string): Promise<FakeTranscriber["hearings"][number]>;
  press(selector: string): Promise<void>;
  /** Waits until the database has so many transcripts, with so many segments in all. */
  isKept(transcripts: number, segments: number): Promise<void>;
}

let close: () => void = () => undefined;

/** Opens the dialog as the first thing of a visit. */
async function open(language: "en" | "zh-CN" = "en"): Promise<Page> {
  close();
  vi.resetModules();
  const { fakeAudio, FakeTranscriber } = await import("./transcribers.js");
  vi.doMock("hearth-llm/audio", () => fakeAudio);
  const [
    { render },
    { act },
    { SpeechDialog },
    { addRecordings, recallTranscripts },
    { loadSpeech },
    { change },
    { opened },
  ] = await Promise.all([
    import("preact"),
    import("preact/test-utils"),
    import("../src/ui/SpeechDialog.js"),
    import("../src/state/transcripts.js"),
    import("../src/state/transcriber.js"),
    import("../src/state/settings.js"),
    import("../src/state/store.js"),
  ]);
  change({ language });
  await act(() => {
    render(<SpeechDialog />, document.body);
  });
  close = () => {
    render(null, document.body);
  };
  await act(() => recallTranscripts());
  return {
    async drop(name) {
      await act(async () => {
        await loadSpeech("/models/whisper/");
        addRecordings([new File(["RIFF"], name, { type: "audio/wav" })]);
      });
      return await vi.waitFor(() => {
        const hearing = FakeTranscriber.last.hearings.find(({ file }) => file.name === name);
        if (hearing === undefined) throw new Error(`${name} is not listened to`);
        return hearing;
      });
    },
    async isKept(transcripts, segments) {
      await vi.waitFor(
        async () => {
          const all = await (await opened()).transcripts();
          expect([all.length, all.flatMap((one) => one.segments).length]).toEqual([transcripts, segments]);
        },
        { timeout: 10_000 },
      );
    },
    async press(selector) {
      await act(() => {
        find(selector)?.click();
      });
    },
  };
}

const find = (selector: string): HTMLElement | null => document.querySelector<HTMLElement>(selector);
const lines = (): (string | null)[] =>
  [...document.querySelectorAll(".segments li")].map(({ textContent }) => textContent);

let copied: string[];

// The first visit compiles the page's modules, which is no test's time.
beforeAll(async () => {
  await open();
}, 120_000);

beforeEach(() => {
  vi.stubGlobal("indexedDB", new IDBFactory());
  copied = [];
  const writeText = (text: string): Promise<void> => Promise.resolve(void copied.push(text));
  Object.defineProperty(navigator, "clipboard", { value: { writeText }, configurable: true });
});

afterEach(() => {
  close();
  close = () => undefined;
  vi.unstubAllGlobals();
});

describe("the transcript of a recording", () => {
  it("survives a reload, and is copied as text and as subtitles", async () => {
    const first = await open();
    (await first.drop("tale.wav")).finish(SEGMENTS, "german");
    await first.isKept(1, 2);
    const again = await open();
    expect(lines()).toEqual(LINES);
    expect(find("#recordings small")?.textContent).toBe("4 B · 1:15 · German · Finished");
    expect(find("#recordings li")?.dataset.state).toBe("done");
    for (const format of ["text", "srt", "vtt"]) await again.press(`[data-format="${format}"]`);
    await vi.waitFor(() => {
      expect(copied).toHaveLength(3);
    });
    expect(copied[0]).toBe("It was the best of times,\nit was the worst of times.");
    expect(copied[1]).toMatch(/^1\n00:00:00,000 --> 00:00:04,200\nIt was the best/);
    expect(copied[2]).toMatch(/^WEBVTT\n\n00:00:00\.000 --> /);
    // A second one comes after it.
    (await again.drop("more.wav")).finish(SEGMENTS.slice(0, 1));
    await again.isKept(2, 3);
    await open("zh-CN");
    expect([...document.querySelectorAll("#recordings .about .wrap")].map(({ textContent }) => textContent)).toEqual([
      "tale.wav",
      "more.wav",
    ]);
    expect(find("#recordings small")?.textContent).toBe("4 B · 1:15 · 德语 · 已完成");
  });

  it("keeps what was written when the page was closed in the middle, which cannot be listened to again", async () => {
    const first = await open();
    const hearing = await first.drop("tale.wav");
    hearing.onProgress({ seconds: 30, duration: 75, segments: SEGMENTS.slice(0, 1) });
    await first.isKept(1, 1);
    await open();
    expect(lines()).toEqual(LINES.slice(0, 1));
    expect(find("#recordings li")?.dataset.state).toBe("stopped");
    const labels = [...document.querySelectorAll("#recordings .row button")].map(({ textContent }) => textContent);
    expect(labels).toEqual(["Copy text", "Copy SRT", "Copy VTT"]);
  });

  it("is gone for good once it is removed", async () => {
    const first = await open();
    (await first.drop("tale.wav")).finish(SEGMENTS);
    await first.isKept(1, 2);
    const again = await open();
    await again.press('[aria-label="Remove tale.wav"]');
    await again.isKept(0, 0);
    await open();
    expect(find("#recordings")).toBeNull();
    expect(find("#speech")?.textContent).toContain("Their text stays on this device until you remove it.");
  });
});
