// @vitest-environment happy-dom
/** The dialog of translation, in a document of happy-dom, with models whose answers a test dictates. */
import { HearthError, type Backend, type ChatCompletionChunk } from "hearth-llm";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { model } from "../src/state/model.js";
import { change } from "../src/state/settings.js";
import { known } from "../src/translate/languages.js";
import { edit, phase, translation } from "../src/translate/state.js";
import { TranslateDialog } from "../src/translate/TranslateDialog.js";
import { dialog } from "../src/ui/dialogs.js";
import { backendOf, chunkOf } from "./backends.js";

const find = (selector: string): HTMLElement | null => document.querySelector<HTMLElement>(selector);
const wait = (ms: number): Promise<void> => act(() => new Promise((resolve) => setTimeout(resolve, ms)));
const output = (): string => find("#translation")?.textContent ?? "";
const state = (): string => find("#translate-state")?.textContent ?? "";

/** Prompts that the model got, and how many of them were given up. */
let asked: string[];
let abandoned: number;

/** Returns a model that answers with the text of its prompt in capitals, when `release` resolves. */
function shouting(name = "Loud", release: () => Promise<void> = () => Promise.resolve()): Backend {
  return backendOf(async function* (prompt, signal): AsyncGenerator<ChatCompletionChunk> {
    asked.push(prompt);
    try {
      await release();
      signal.throwIfAborted();
      yield chunkOf(prompt.replace(/^.*\n\n/, "").toUpperCase());
      yield chunkOf("", "stop");
    } finally {
      if (signal.aborted) abandoned++;
    }
  }, name);
}

async function open(backend: Backend | undefined): Promise<void> {
  await act(() => {
    if (backend !== undefined) model.value = { name: "running", choice: { source: "fake", options: {} }, backend };
    render(<TranslateDialog />, document.body);
  });
  await wait(20);
}

async function press(selector: string): Promise<void> {
  await act(() => {
    find(selector)?.click();
  });
  await wait(20);
}

/** Waits for a condition, however slow the machine is. */
async function until(check: () => boolean): Promise<void> {
  for (let tries = 0; tries < 300 && !check(); tries++) await wait(20);
  await wait(20);
}

const isSettled = (): boolean => !["waiting", "translating"].includes(phase.value.name);

/** Puts texts into the field, one right after the other. */
async function type(texts: string | string[], check = isSettled): Promise<void> {
  await act(() => {
    const field = find("#translate-input") as HTMLTextAreaElement;
    for (const text of [texts].flat()) {
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
  await until(check);
}

async function select(id: string, value: string): Promise<void> {
  await act(() => {
    const field = find(`#${id}`) as HTMLSelectElement;
    field.value = value;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
  await until(isSettled);
}

beforeEach(() => {
  asked = [];
  abandoned = 0;
  // happy-dom's dialogs do not open.
  HTMLDialogElement.prototype.showModal = () => undefined;
  change({ language: "en", translateFrom: "", translateTo: "" });
});

afterEach(async () => {
  await act(() => {
    edit("");
    render(null, document.body);
    model.value = { name: "none" };
    dialog.value = undefined;
  });
  vi.unstubAllGlobals();
});

describe("translation while one types", () => {
  it("waits for a pause, and asks once", async () => {
    await open(shouting());
    await type(["g", "gu", "gut"], () => phase.value.name === "waiting");
    expect(asked).toEqual([]);
    await until(isSettled);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatch(/into English\. .*\n\ngut$/);
    expect([output(), state()]).toEqual(["GUT", "Translated."]);
  });

  it("gives up the old request for the new text, and shows the new one only", async () => {
    let go: () => void = () => undefined;
    await open(shouting("Slow", () => new Promise((resolve) => (go = resolve))));
    await type("first", () => asked.length === 1);
    expect(state()).toBe("Translating…");
    const old = go;
    await type("second", () => asked.length === 2);
    await act(() => {
      old();
      go();
    });
    await wait(30);
    expect(asked).toHaveLength(2);
    expect([abandoned, output()]).toEqual([1, "SECOND"]);
  });

  it("is asked again for other languages, and keeps them", async () => {
    await open(shouting());
    await type("gut");
    await select("translate-from", "de");
    await select("translate-to", "fr");
    expect(asked.at(-1)).toMatch(/from German into French/);
    expect(find("#translation")?.lang).toBe("fr");
    await press("#translate-swap");
    await until(isSettled);
    expect(asked.at(-1)).toMatch(/from French into German.*\n\nGUT$/s);
  });

  it("keeps line breaks, and never takes an answer for HTML", async () => {
    await open(shouting());
    await type("one <b>two</b>\n\nthree");
    expect(output()).toBe("ONE <B>TWO</B>\n\nTHREE");
    expect(find("#translation b")).toBeNull();
  });

  it("ends with the dialog, and with an empty text", async () => {
    await open(shouting("Slow", () => new Promise(() => undefined)));
    await type("first", () => asked.length === 1);
    await type("");
    expect(phase.value.name).toBe("empty");
    await type("second", () => asked.length === 2);
    await act(() => {
      render(null, document.body);
    });
    await wait(50);
    expect([asked.length, phase.value.name]).toEqual([2, "translating"]);
  });
});

describe("a model on a server", () => {
  const remote = (): Backend => ({
    ...shouting("Far"),
    servedBy: { where: "server", server: "far.test", model: "Far" },
  });

  it("gets the text only when the visitor asks for it", async () => {
    await open(remote());
    await type("gut");
    expect([asked, state()]).toEqual([[], "Ctrl+Enter translates."]);
    expect(find("#translate")?.textContent).toContain("far.test");
    await press("#translate-now");
    await until(isSettled);
    expect([asked.length, output()]).toEqual([1, "GUT"]);
    await type("besser");
    await act(() => {
      const key = { key: "Enter", ctrlKey: true, bubbles: true, cancelable: true };
      find("#translate-input")?.dispatchEvent(new KeyboardEvent("keydown", key));
    });
    await until(isSettled);
    expect([asked.length, output()]).toEqual([2, "BESSER"]);
  });
});

describe("states", () => {
  it("without a model offers the way to one", async () => {
    await open(undefined);
    expect(find("#translate-input")).toBeNull();
    await press("#translate-model");
    expect(dialog.value).toBe("models");
  });

  it("asks for the language where the model needs it, and offers those that it has", async () => {
    await open(shouting("Translategemma 4b It"));
    await type("gut");
    expect([asked, phase.value.name]).toEqual([[], "asks"]);
    const codes = [...document.querySelectorAll<HTMLOptionElement>("#translate-to option")].map(({ value }) => value);
    expect(codes).toContain("zh-Hans");
    expect(codes).not.toContain("yue");
  });

  it("shows an error with another try", async () => {
    let error: Error | undefined = new HearthError("context_overflow", "too long", { hint: "Shorten it." });
    const backend = backendOf(async function* () {
      await Promise.resolve();
      if (error !== undefined) throw error;
      yield chunkOf("fine", "stop");
    });
    await open(backend);
    await type("gut");
    expect(find(".error")?.dataset.code).toBe("context_overflow");
    error = undefined;
    await press(".error button");
    await until(isSettled);
    expect([find(".error"), output()]).toEqual([null, "fine"]);
  });

  it("copies, clears and stops", async () => {
    const copied: string[] = [];
    vi.stubGlobal("navigator", {
      language: "en",
      clipboard: { writeText: (text: string) => Promise.resolve(copied.push(text)) },
    });
    await open(shouting());
    await type("gut");
    await press("#translate-copy");
    expect([copied, state()]).toEqual([["GUT"], "Copied."]);
    await press("#translate-clear");
    expect([translation.value, phase.value.name]).toEqual(["", "empty"]);
    await open(shouting("Slow", () => new Promise(() => undefined)));
    await type("more", () => phase.value.name === "translating");
    await press("#translate-stop");
    expect(state()).toBe("Stopped.");
  });

  it("is there in Chinese, with names of languages in it", async () => {
    change({ language: "zh-CN" });
    await open(shouting());
    expect(find("#translate-to")?.textContent).toContain("德语");
    await type("good");
    expect(asked[0]).toMatch(/into Chinese/);
    expect(state()).toBe("已翻译。");
  });
});

it("finds the code that a model has for a chosen language", () => {
  expect(known("zh", ["en", "zh-Hans"])).toBe("zh-Hans");
  expect(known("zh-Hant", ["zh-TW"])).toBe("zh-TW");
  expect(known("sv", ["en"])).toBe("");
  expect(known("", ["en"])).toBe("");
});
