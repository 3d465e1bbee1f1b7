// @vitest-environment happy-dom
/** Pictures in the message: pasted, dropped, chosen, described, removed, refused, and sent. */
import { act } from "preact/test-utils";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { announced } from "../src/state/announce.js";
import { path } from "../src/state/chat.js";
import { write } from "../src/state/draft.js";
import { draftPictures } from "../src/state/pictures.js";
import { change } from "../src/state/settings.js";
import { picturesOf } from "../src/store/parts.js";
import { zh } from "../src/text/zh.js";
import { dialog } from "../src/ui/dialogs.js";
import { takeFiles } from "../src/ui/intake.js";
import { pastedPictures } from "../src/ui/take-pictures.js";
import { spokenBackend } from "./backends.js";
import { all, find, paste, png, press, run, settle, usePage, voice } from "./picture-page.js";

vi.hoisted(() => {
  // happy-dom has null, which no browser has.
  Object.defineProperty(navigator, "locks", { value: undefined });
});
const check = vi.hoisted(() => ({ canDraw: true }));
vi.mock("../src/lib/picture-check.js", () => ({ canDraw: () => Promise.resolve(check.canDraw) }));

usePage();

beforeEach(() => {
  check.canDraw = true;
});

const names = (): string[] => draftPictures.value.map(({ part }) => part.name);
const alert = (): HTMLElement | null => find("#pictures [role=alert]");

async function drop(...files: File[]): Promise<void> {
  await act(() => takeFiles(files));
  await settle();
}

async function choose(...files: File[]): Promise<void> {
  const input = find("#picture-file");
  Object.defineProperty(input, "files", { value: files, configurable: true });
  input?.dispatchEvent(new Event("change", { bubbles: true }));
  await settle();
}

describe("a picture comes into the message", () => {
  it("by pasting, without a name of its own", async () => {
    expect(await paste([png("image.png")])).toBe(true);
    expect(draftPictures.value).toMatchObject([{ part: { type: "image", name: "", mime: "image/png" } }]);
    expect(find("#pictures img")?.getAttribute("alt")).toBe("Picture 1");
    expect(find("#pictures img")?.getAttribute("src")).toMatch(/^blob:/);
    expect(announced.value).toContain("Picture 1 added. 1 picture in your message.");
    await paste([png("holiday.png")]);
    expect(names()).toEqual(["", "holiday.png"]);
  });

  it("by dropping, with its bytes as they were", async () => {
    const file = png("cat.png");
    await drop(file, png("dog.png"));
    expect(names()).toEqual(["cat.png", "dog.png"]);
    const { blob, part } = draftPictures.value[0] ?? {};
    expect(await blob?.arrayBuffer()).toEqual(await file.arrayBuffer());
    expect(part?.file).toMatch(/^[0-9a-f]{64}$/);
  });

  it("by dropping on a dialog, which closes since the message lies beneath it", async () => {
    dialog.value = "settings";
    await drop(png("cat.png"));
    expect([dialog.value, names()]).toEqual([undefined, ["cat.png"]]);
  });

  it("by choosing files, and only once each", async () => {
    const label = find("#picture-file")?.getAttribute("aria-label");
    expect([label, find("#picture-file")?.getAttribute("accept")]).toEqual(["Add pictures", "image/*"]);
    await choose(png("cat.png"), png("dog.png"));
    await choose(png("cat again.png", "cat.png"));
    expect(names()).toEqual(["cat.png", "dog.png"]);
  });

  it("by the camera of a phone", async () => {
    vi.stubGlobal("matchMedia", (query: string) => ({ matches: query.includes("coarse") }));
    const { backend } = spokenBackend();
    await act(() => {
      run(backend, false);
    });
    await act(() => {
      run(backend, true);
    });
    expect(find("#picture-capture")?.getAttribute("capture")).toBe("environment");
    expect(find("#open-camera")).toBeNull();
  });
});

describe("a text that is pasted", () => {
  const file = png("table.png");
  const pasted = (text: string | undefined, files = [file]) =>
    pastedPictures({
      files,
      types: [...(text === undefined ? [] : ["text/plain"]), "Files"],
      getData: () => text ?? "",
    });

  it("stays a text, even if its program drew a picture of it", async () => {
    expect(await paste([file], "1\t2")).toBe(false);
    expect(draftPictures.value).toEqual([]);
    expect(pasted(undefined)).toEqual([file]);
    expect(pasted("/home/ann/table.png\n")).toEqual([file]);
    expect(pasted("A letter")).toEqual([]);
    expect(pasted(undefined, [new File(["a"], "a.txt", { type: "text/plain" })])).toEqual([]);
  });

  it("into another field concerns that field", async () => {
    const field = document.createElement("input");
    document.body.append(field);
    expect(await paste([file], undefined, field)).toBe(false);
    field.remove();
    const prompt = find("#prompt");
    if (prompt !== null) expect(await paste([file], undefined, prompt)).toBe(true);
  });
});

describe("a picture in the message", () => {
  it("is removed by its button, and the focus goes to the next one, then to the message", async () => {
    await drop(png("a.png"), png("b.png"), png("c.png"));
    await press('[aria-label="Remove b.png"]');
    expect(names()).toEqual(["a.png", "c.png"]);
    expect(document.activeElement?.getAttribute("aria-label")).toBe("Remove c.png");
    await press('[aria-label="Remove c.png"]');
    expect(document.activeElement?.getAttribute("aria-label")).toBe("Remove a.png");
    await press('[aria-label="Remove a.png"]');
    expect(document.activeElement?.id).toBe("prompt");
    expect(find("#pictures")).toBeNull();
  });

  it("opens larger, and can be described", async () => {
    await drop(png("cat.png"));
    await press('[aria-label="Show cat.png larger"]');
    expect(dialog.value).toBe("picture");
    expect(find("dialog#picture h2")?.textContent).toBe("cat.png");
    const field = find("#picture-description") as HTMLInputElement;
    field.value = " A black cat ";
    field.dispatchEvent(new Event("change", { bubbles: true }));
    await settle();
    expect(draftPictures.value[0]?.part.alt).toBe("A black cat");
    expect(all("img").map((image) => image.getAttribute("alt"))).toEqual(["A black cat", "A black cat"]);
    field.value = "";
    field.dispatchEvent(new Event("change", { bubbles: true }));
    await settle();
    expect(draftPictures.value[0]?.part).not.toHaveProperty("alt");
  });

  it("is sent, also without a text, and shown in the conversation", async () => {
    await drop(png("cat.png"));
    await press("#send");
    expect(draftPictures.value).toEqual([]);
    expect(find("#pictures")).toBeNull();
    expect(path.value.map((message) => picturesOf(message).map(({ name }) => name))).toEqual([["cat.png"], []]);
    expect(find(".message.user .bubble")).toBeNull();
    expect(find(".message.user .pictures img")?.getAttribute("alt")).toBe("cat.png");
    expect(find(".message.assistant .stats")?.textContent).toBe("Looking at the picture…");
    const progress = { total: 90, cache: 0, processed: 9, time_ms: 500 };
    voice.tell({ ...progress, phase: "picture", looked: 0.417 });
    await settle();
    expect(find(".message.assistant .stats")?.textContent).toBe("Looking at the picture: 41%");
    expect(zh.lookingShare(2, 41)).toBe("正在看 2 张图片：41%");
    voice.tell({ ...progress, phase: "prefill", looked: 1, processed: 45 });
    await settle();
    expect(find(".message.assistant .stats")?.textContent).toBe("Reading your message 50%");
    voice.end();
    await settle();
    await press('.message.user [aria-label="Show cat.png larger"]');
    expect(find("dialog#picture img")?.getAttribute("alt")).toBe("cat.png");
    expect(find("#picture-description")).toBeNull();
  });

  it("can be taken out of a question that is edited", async () => {
    await drop(png("cat.png"), png("dog.png"));
    write("What are these?");
    await press("#send");
    voice.end();
    await settle();
    await press('.message.user [aria-label="Edit message"]');
    await press('.editor [aria-label="Remove dog.png"]');
    expect(all(".editor img").map((image) => image.getAttribute("alt"))).toEqual(["cat.png"]);
    await press(".editor .primary");
    expect(path.value[0]?.parts).toMatchObject([{ name: "cat.png" }, { text: "What are these?" }]);
    voice.end();
    await settle();
  });
});

describe("a picture is refused with its reason", () => {
  it.each<[string, () => File, string]>([
    ["too_large", () => Object.defineProperty(png("a.png"), "size", { value: 21e6 }), "Larger than 20 MB: a.png"],
    ["not_a_picture", () => new File(["Not one"], "a.png", { type: "image/png" }), "Not a picture: a.png"],
    ["unreadable", () => png("a.heic"), "cannot read a.heic"],
  ])("%s", async (fault, make, words) => {
    check.canDraw = fault !== "unreadable";
    await choose(make());
    expect(alert()?.dataset.code).toBe(fault);
    expect(alert()?.textContent).toContain(words);
    expect(draftPictures.value).toEqual([]);
    await press("#pictures .error-actions .primary");
    expect(find("#pictures")).toBeNull();
    expect(document.activeElement?.id).toBe("prompt");
  });

  it("too_many: ten are kept, and the rest is named, along with other reasons", async () => {
    const files = Array.from({ length: 11 }, (_, at) => png(`${String(at)}.png`));
    await choose(new File(["Not one"], "text.png"), ...files);
    expect(names()).toHaveLength(10);
    expect(alert()?.dataset.code).toBe("not_a_picture too_many");
    expect(alert()?.textContent).toContain("A message has room for 10 pictures; not added: 10.png");
  });

  it("blind: the model reads text only, what to load is named, and the pictures stay out", async () => {
    const { backend } = spokenBackend();
    await act(() => {
      run(backend, false);
    });
    expect([find("#picture-file"), find("#open-camera")]).toEqual([null, null]);
    await paste([png("image.png")]);
    expect(alert()?.dataset.code).toBe("blind");
    expect(alert()?.textContent).toContain("load one that sees, such as SmolVLM");
    expect(draftPictures.value).toEqual([]);
    await press("#pictures .error-actions .primary");
    expect(dialog.value).toBe("models");
  });

  it("in Chinese", async () => {
    change({ language: "zh-CN" });
    await choose(new File(["Not one"], "a.png", { type: "image/png" }));
    expect(alert()?.textContent).toContain("不是图片：a.png");
    expect(find("#picture-file")?.getAttribute("aria-label")).toBe("添加图片");
  });
});

describe("a conversation with pictures and a model that does not see", () => {
  it("says that they are left out, before and with the answer, and keeps them", async () => {
    await drop(png("cat.png"));
    const { backend, end, say } = spokenBackend();
    await act(() => {
      run(backend, false);
    });
    expect(find("#pictures")?.textContent).toContain("it will not see them");
    write("What is this?");
    await press("#send");
    say("I cannot know.");
    end();
    await settle();
    expect(find(".message.assistant .left-out")?.textContent).toBe("Left out: 1 picture that the model cannot see");
    expect(find(".message.user .pictures img")?.getAttribute("alt")).toBe("cat.png");
  });
});
