// @vitest-environment happy-dom
/** Dictation that fails, each time in words of its own, and several microphones. */
import { act } from "preact/test-utils";
import { HearthError } from "hearth-llm";
import { describe, expect, it, vi } from "vitest";
import { path } from "../src/state/chat.js";
import { dictation } from "../src/state/dictating.js";
import { draft } from "../src/state/draft.js";
import { change } from "../src/state/settings.js";
import { loadSpeech } from "../src/state/transcriber.js";
import { addRecordings } from "../src/state/transcripts.js";
import { dialog } from "../src/ui/dialogs.js";
import { begin, find, hear, microphones, press, settle, usePage } from "./dictating-page.js";
import { setMedia } from "./microphones.js";
import { FakeTranscriber } from "./transcribers.js";

vi.hoisted(() => {
  // happy-dom has null, which no browser has.
  Object.defineProperty(navigator, "locks", { value: undefined });
});
vi.mock("hearth-llm/audio", async () => (await import("./transcribers.js")).fakeAudio);

usePage();

describe("a failure", () => {
  const alert = (): string | undefined => find("#dictation [role=alert]")?.dataset.code;

  it.each([
    ["insecure", "address is not secure"],
    ["unsupported", "gives pages no microphone"],
  ] as const)("is told before anything is fetched: %s", async (fault, words) => {
    setMedia(undefined, fault === "unsupported");
    await press("#dictate");
    await settle();
    expect(alert()).toBe(fault);
    expect(find("#dictation")?.textContent).toContain(words);
    expect(FakeTranscriber.asked).toEqual([]);
    expect(dialog.value).toBeUndefined();
  });

  it("of permission says what to do, and another try works", async () => {
    await loadSpeech("/models/whisper/");
    microphones.answer = () => Promise.reject(new DOMException("Permission denied", "NotAllowedError"));
    await press("#dictate");
    expect(alert()).toBe("denied");
    expect(find("#dictation")?.textContent).toContain("Allow the microphone in the browser’s settings for this page");
    microphones.answer = () => Promise.resolve();
    await press("#dictation .error-actions .primary");
    expect(dictation.value.name).toBe("listening");
  });

  it("in the middle keeps what was said: unplugged", async () => {
    const listening = await begin();
    listening.last = "half a sentence";
    await hear(() => {
      listening.partial("half a");
    });
    await hear(() => {
      microphones.tracks[0]?.unplug();
    });
    expect(alert()).toBe("unplugged");
    expect(draft.value).toBe("half a sentence");
  });

  it("in the middle keeps what was said: the model, whose own words are told too; and nothing is sent", async () => {
    const listening = await begin();
    await hear(
      () => {
        listening.partial("half a");
      },
      () => {
        listening.fail(new HearthError("out_of_memory", "no memory for the window"));
      },
    );
    expect(alert()).toBe("broken");
    expect(find("#dictation")?.textContent).toContain("no memory for the window");
    expect(find(".error-code")?.textContent).toBe("out_of_memory");
    expect(draft.value).toBe("half a");
    expect(path.value).toEqual([]);
    await press("#dictation .error-actions button:last-of-type");
    expect(find("#dictation")).toBeNull();
  });

  it("of the browser to pass the sound on is none of the model", async () => {
    const listening = await begin();
    await hear(() => {
      listening.fail(new HearthError("capture_failed", "sound could not be captured"));
    });
    expect(alert()).toBe("unheard");
    expect(microphones.tracks[0]?.readyState).toBe("ended");
  });

  it("of the model is told in the dialog, with another try and another model", async () => {
    await press("#dictate");
    FakeTranscriber.creating = () => Promise.reject(new HearthError("bad_file", "this is no Whisper model"));
    await act(async () => {
      await loadSpeech("/models/x.bin");
    });
    expect(find("#speech [role=alert]")?.dataset.code).toBe("model");
    expect(find("#speech [role=alert]")?.textContent).toContain("this is no Whisper model");
    await press("#speech .error-actions button:last-of-type");
    expect(find("#speech-models")).not.toBeNull();
  });

  it("is told while a recording is being transcribed", async () => {
    await loadSpeech("/models/whisper/");
    await act(() => {
      addRecordings([new File(["x"], "x.wav")]);
    });
    await press("#dictate");
    expect(alert()).toBe("busy");
    expect(microphones.asked).toEqual([]);
  });

  it("is told in Chinese", async () => {
    change({ language: "zh-CN" });
    await loadSpeech("/models/whisper/");
    microphones.answer = () => Promise.reject(new DOMException("Requested device not found", "NotFoundError"));
    await press("#dictate");
    expect(find("#dictation")?.textContent).toContain("没有找到麦克风");
  });
});

describe("several microphones", () => {
  it("can be changed while one listens", async () => {
    microphones.devices = [
      { kind: "audioinput", deviceId: "a", label: "Desk" },
      { kind: "audioinput", deviceId: "b", label: "" },
    ];
    const listening = await begin();
    await hear(() => {
      listening.partial("before");
    });
    const choice = document.querySelector<HTMLSelectElement>("#microphone");
    expect(choice?.getAttribute("aria-label")).toBe("Microphone");
    expect([...(choice?.options ?? [])].map(({ text }) => text)).toEqual([
      "Chosen by the browser",
      "Desk",
      "Microphone 2",
    ]);
    await act(() => {
      if (choice !== null) choice.value = "b";
      choice?.dispatchEvent(new Event("change", { bubbles: true }));
    });
    await settle();
    expect(dictation.value.name).toBe("listening");
    expect(microphones.asked.at(-1)?.audio).toMatchObject({ deviceId: { ideal: "b" } });
    expect(draft.value).toBe("before");
  });

  it("are not a choice if there is only one", async () => {
    microphones.devices = [{ kind: "audioinput", deviceId: "a", label: "Desk" }];
    await begin();
    expect(find("#microphone")).toBeNull();
  });
});
