// @vitest-environment happy-dom
/** Dictation into the message: its button, and the words that come of it. */
import { act } from "preact/test-utils";
import { HearthError } from "hearth-llm";
import { describe, expect, it, vi } from "vitest";
import { announced } from "../src/state/announce.js";
import { newConversation, openConversation, path } from "../src/state/chat.js";
import { dictation, isDictating } from "../src/state/dictating.js";
import { draft, write } from "../src/state/draft.js";
import { change, settings } from "../src/state/settings.js";
import { loadSpeech } from "../src/state/transcriber.js";
import { dialog } from "../src/ui/dialogs.js";
import { begin, field, find, hear, key, microphones, press, settle, typing, usePage } from "./dictating-page.js";
import { FakeTranscriber } from "./transcribers.js";

vi.hoisted(() => {
  // happy-dom has null, which no browser has.
  Object.defineProperty(navigator, "locks", { value: undefined });
});
vi.mock("hearth-llm/audio", async () => (await import("./transcribers.js")).fakeAudio);

usePage();

describe("the button", () => {
  it("asks for a model first, and dictation begins when it is there", async () => {
    await press("#dictate");
    await settle();
    expect(dialog.value).toBe("speech");
    expect(microphones.asked).toEqual([]);
    const offers = [...document.querySelectorAll("#speech-models .entry-title")].map(({ textContent }) => textContent);
    expect(offers).toEqual(["Fetch Whisper tiny, 32.2 MBEnglish", "Fetch Whisper base, 59.7 MB99 languages"]);
    expect(find("#speech")?.textContent).toContain("The sound is not sent anywhere");
    let ready = (): void => undefined;
    FakeTranscriber.creating = () =>
      new Promise((resolve) => {
        ready = resolve;
      });
    await press("#speech-models li:last-child .entry-title");
    const { model: source, onProgress } = FakeTranscriber.asked[0] ?? {};
    expect(source).toBe("https://huggingface.co/ggerganov/whisper.cpp/resolve/main/ggml-base-q5_1.bin");
    await act(() => onProgress?.({ phase: "download", loaded: 29e6, total: 58e6 }));
    expect(find("#speech-loading")?.textContent).toContain("29.0 MB of 58.0 MB");
    expect(document.querySelector<HTMLProgressElement>("#speech-loading progress")?.value).toBe(0.5);
    ready();
    await vi.waitFor(() => {
      expect(dictation.value.name).toBe("listening");
    });
    expect(dialog.value).toBeUndefined();
    expect(settings.value.speechModel).toBe(source);
  });

  it("does not begin by itself once the dialog is closed", async () => {
    await press("#dictate");
    await act(() => {
      dialog.value = undefined;
    });
    await loadSpeech("/models/whisper/");
    await settle();
    expect(dictation.value.name).toBe("off");
    expect(microphones.asked).toEqual([]);
  });

  it("is pressed while it listens, keeps its name, and leaves the focus where it is", async () => {
    await begin();
    const button = find("#dictate");
    expect(button?.getAttribute("aria-pressed")).toBe("true");
    expect(button?.getAttribute("aria-label")).toBe("Dictate");
    const down = new MouseEvent("mousedown", { bubbles: true, cancelable: true });
    button?.dispatchEvent(down);
    expect(down.defaultPrevented).toBe(true);
    expect(announced.value).toContain("Dictation has begun.");
    await press("#dictate");
    expect(dictation.value.name).toBe("off");
    expect(find("#dictate")?.getAttribute("aria-pressed")).toBe("false");
    expect(microphones.tracks[0]?.readyState).toBe("ended");
  });

  it("gives up a question that the browser still asks, and the microphone with it", async () => {
    await loadSpeech("/models/whisper/");
    let allow = (): void => undefined;
    microphones.answer = () =>
      new Promise((resolve) => {
        allow = resolve;
      });
    await press("#dictate");
    expect(find("#dictation")?.textContent).toContain("Waiting for the microphone");
    await press("#dictate");
    expect(dictation.value.name).toBe("off");
    allow();
    await settle();
    expect(microphones.tracks[0]?.readyState).toBe("ended");
    expect(FakeTranscriber.last.listenings).toEqual([]);
  });
});

describe("words", () => {
  it("are tentative until they are settled, and then come at the caret", async () => {
    write("Dear Ann,  Yours, Bob");
    await settle();
    const listening = await begin();
    field().setSelectionRange(10, 10);
    await hear(() => {
      listening.partial("how", " are");
    });
    expect(find(".heard")?.textContent).toBe("how are");
    expect(find(".tentative")?.textContent).toBe(" are");
    expect(find(".heard")?.getAttribute("dir")).toBe("auto");
    expect(draft.value).toBe("Dear Ann,  Yours, Bob");
    await hear(() => {
      listening.final(" How are you?");
    });
    expect(find(".heard")).toBeNull();
    expect(draft.value).toBe("Dear Ann, How are you? Yours, Bob");
    expect(field().selectionStart).toBe("Dear Ann, How are you?".length);
    await hear(() => {
      listening.final(" I am well.");
    });
    expect(draft.value).toBe("Dear Ann, How are you? I am well. Yours, Bob");
    // Typed by the browser, they can be undone.
    expect(document.activeElement).toBe(field());
    expect(typing.mock.calls.map(([command, , text]) => [command, text])).toEqual([
      ["insertText", "How are you?"],
      ["insertText", " I am well."],
    ]);
  });

  it("replace nothing: not what is selected, nor what is typed meanwhile", async () => {
    write("one two");
    await settle();
    const listening = await begin();
    field().setSelectionRange(0, 3);
    await hear(() => {
      listening.final("and a half");
    });
    expect(draft.value).toBe("one and a half two");
    expect([field().selectionStart, field().selectionEnd]).toEqual([0, 3]);
    field().value += " three";
    field().setSelectionRange(field().value.length, field().value.length);
    field().dispatchEvent(new Event("input", { bubbles: true }));
    await hear(() => {
      listening.final("four");
    });
    expect(draft.value).toBe("one and a half two three four");
  });

  it("wait for an input method", async () => {
    const listening = await begin();
    field().dispatchEvent(new Event("compositionstart", { bubbles: true }));
    await hear(() => {
      listening.final("hello");
    });
    expect(draft.value).toBe("");
    field().dispatchEvent(new Event("compositionend", { bubbles: true }));
    await settle();
    expect(draft.value).toBe("hello");
  });

  it.each([
    ["a last text", "the end", "the end"],
    ["an error", new HearthError("disposed", "it was disposed"), "the en"],
    ["nothing", undefined, "the en"],
  ] as const)("that are still to come at Escape are written, with %s from the model", async (_, last, expected) => {
    const listening = await begin();
    listening.last = last;
    await hear(() => {
      listening.partial("the", " en");
    });
    await key("Escape");
    expect(draft.value).toBe(expected);
    expect(isDictating.value).toBe(false);
  });

  it("are as they were if the model never comes to its end, and the visitor asks twice", async () => {
    const listening = await begin();
    listening.hangs = true;
    await hear(() => {
      listening.partial("some words");
    });
    await key("Escape");
    expect(dictation.value.name).toBe("finishing");
    expect(microphones.tracks[0]?.readyState).toBe("ended");
    expect(find("#dictation")?.textContent).toContain("some words");
    await key("Escape");
    expect(dictation.value.name).toBe("off");
    expect(draft.value).toBe("some words");
  });

  it("are in the message that Enter sends", async () => {
    const listening = await begin();
    listening.last = "is a hearth?";
    await hear(
      () => {
        listening.final("What");
      },
      () => {
        listening.partial("is a");
      },
    );
    await key("Enter");
    await vi.waitFor(() => {
      expect(path.value[0]?.parts).toEqual([{ type: "text", text: "What is a hearth?" }]);
    });
    expect(draft.value).toBe("");
    expect(dictation.value.name).toBe("off");
  });

  it("stay with the conversation in which they were said", async () => {
    const listening = await begin();
    await hear(() => {
      listening.partial("about this");
    });
    write("typed here");
    const { send, current, stop } = await import("../src/state/chat.js");
    void send("Another question");
    const id = current.value?.id ?? "";
    expect(id).not.toBe("");
    await settle();
    expect(dictation.value.name).toBe("off");
    stop();
    newConversation();
    await vi.waitFor(() => {
      expect(draft.value).toBe("typed here about this");
    });
    await openConversation(id);
    await settle();
    expect(draft.value).toBe("");
  });

  it("are in the language that the visitor chose, if the model knows it", async () => {
    change({ speechLanguage: "de" });
    expect((await begin()).options.language).toBe("de");
    await press("#dictate");
    change({ speechLanguage: "xx" });
    await press("#dictate");
    expect(FakeTranscriber.last.listenings.at(-1)?.options.language).toBeUndefined();
  });
});
