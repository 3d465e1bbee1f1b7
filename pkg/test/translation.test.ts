/** Translators on a fake module: loads, requests, the worker's end, files. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Translator, type TranslationStreamEvent, type TranslatorOptions } from "../src/translation/index.js";
import { loadTranslator } from "../src/translation/worker/load.js";
import { code } from "./engine-support.js";
import { Opfs } from "./opfs.js";
import { fake, MODULE, resetFake } from "./translation-module.js";
import { TranslationWorkerDouble } from "./translation-worker-double.js";

const GGUF = new File(["GGUF".padEnd(100, "x")], "flan-t5-small.gguf");

/** Loads files in this thread: Node's messages lose their names. */
function loadFiles(files: File[]): Promise<unknown> {
  const request = { source: { kind: "files" as const, files }, cache: "no-store" as const, download: {} };
  const ignore = (): void => undefined;
  return loadTranslator(MODULE, request, new AbortController().signal, ignore, ignore);
}

function create(options: Partial<TranslatorOptions> = {}): Promise<Translator> {
  return Translator.create({ model: GGUF, ...options });
}

beforeEach(() => {
  resetFake();
  TranslationWorkerDouble.all = [];
  vi.stubGlobal("Worker", TranslationWorkerDouble);
});

afterEach(() => {
  vi.unstubAllGlobals();
});

it("takes the path of a folder where the machine has files", async () => {
  const { toSource } = await import("../src/translation/source.js");
  const { platform } = await import("../src/core/platform.js");
  try {
    platform.locate = (model) => (model.startsWith("./") ? `file:///models/${model.slice(2)}/` : undefined);
    expect(await toSource("./opus", {})).toEqual({
      source: { kind: "url", url: "file:///models/opus/" },
      name: "opus",
    });
    expect((await toSource("helsinki/opus", {})).source).toMatchObject({ kind: "hub" });
  } finally {
    delete platform.locate;
  }
});

describe("Translator.create", () => {
  it("loads a file into a worker of its own, and reports it", async () => {
    const phases: string[] = [];
    const { model, languages } = await create({
      onProgress: ({ phase, loaded }) => phases.push(`${phase} ${String(loaded)}`),
    });
    expect(model).toMatchObject({ name: "flan-t5-small", family: "marian", licence: "apache-2.0", bytes: 100 });
    expect(languages).toEqual({
      sources: ["en", "de"],
      targets: ["de", "fr", "zh-Hant"],
      needsSource: false,
      needsTarget: true,
    });
    expect(phases.at(-1)).toBe("ready 100");
    const [worker] = TranslationWorkerDouble.all;
    expect([worker?.options.name, String(worker?.url)]).toEqual([
      "hearth-translation",
      expect.stringMatching(/translation-worker\.js$/),
    ]);
    fake.name = "Opus";
    expect((await create()).model.name).toBe("Opus");
  });

  it("ends the worker when it fails or is aborted", async () => {
    expect(await code(create({ model: new Blob(["PK"]) }))).toBe("bad_file");
    fake.isBroken = true;
    expect(await code(create())).toBe("wasm_failed");
    fake.isBroken = false;
    const controller = new AbortController();
    const loading = create({ signal: controller.signal });
    controller.abort();
    expect(await code(loading)).toBe("cancelled");
    expect(TranslationWorkerDouble.all.map(({ isTerminated }) => isTerminated)).not.toContain(false);
  });

  it.each([
    ["https://models.test/opus/", undefined],
    ["https://models.test/opus/model.safetensors", undefined],
    ["helsinki/opus", "https://hub.test"],
  ])("reads a folder with the files that the module names: %s", async (model, hub) => {
    new Opfs().install();
    const files: Record<string, string> = {
      "model.safetensors": "weights",
      "config.json": "{}",
      "vocab.json": '{"a":1}',
      "source.spm": "pieces",
      "tokenizer.model": "not asked for",
    };
    const fetched: string[] = [];
    vi.stubGlobal("fetch", (url: string, { method = "GET" }: RequestInit) => {
      if (url.startsWith("https://hub.test/api/")) {
        const siblings = Object.entries(files).map(([rfilename, { length: size }]) => ({ rfilename, size }));
        return Promise.resolve(Response.json({ sha: "a".repeat(40), siblings }));
      }
      const name = url.replace(/^.*\//, "");
      const text = files[name];
      if (text === undefined) return Promise.resolve(new Response("", { status: 404 }));
      if (method === "GET") fetched.push(name);
      return Promise.resolve(new Response(text, { headers: { "Content-Length": String(text.length), ETag: '"1"' } }));
    });
    const { model: info } = await create({ model, download: hub === undefined ? {} : { hub } });
    expect([info.name, fake.bytes]).toEqual(["opus", 7]);
    expect(fake.texts).toEqual({ "config.json": "{}", "vocab.json": '{"a":1}' });
    expect(fake.files).toEqual({ "source.spm": "pieces" });
    expect(fetched.sort()).toEqual(["config.json", "model.safetensors", "source.spm", "vocab.json"]);
    // The second time everything is on this device.
    await create({ model, download: hub === undefined ? {} : { hub } });
    expect([fake.loads, fetched.length]).toEqual([2, 4]);
  });

  it("takes the files of a folder, and shards in their order", async () => {
    const named = (name: string, text: string): File => new File([text], name);
    const model = [
      named("config.json", "{}"),
      named("source.spm", "pieces"),
      named("model-00002-of-00002.safetensors", "second"),
      named("model-00001-of-00002.safetensors", "weights"),
      named("README.md", "not asked for"),
    ];
    await loadFiles(model);
    expect([fake.bytes, fake.texts, fake.files]).toEqual([13, { "config.json": "{}" }, { "source.spm": "pieces" }]);
    const parts = ["a-00001-of-00002.gguf", "a-00002-of-00002.gguf"].map((name) => named(name, "GGUF"));
    expect(await code(loadFiles(parts))).toBe("invalid_request");
    await expect(loadFiles([named("config.json", "{}")])).rejects.toMatchObject({ code: "bad_file" });
  });

  it("refuses a repository without such a model with advice about translation", async () => {
    const siblings = [{ rfilename: "pytorch_model.bin", size: 3 }];
    vi.stubGlobal("fetch", () => Promise.resolve(Response.json({ sha: "a".repeat(40), siblings })));
    await expect(
      create({ model: "a/b", download: { hub: "https://hub.test" }, cache: "no-store" }),
    ).rejects.toMatchObject({
      code: "invalid_request",
      hint: expect.stringContaining("opus-mt-en-de") as string,
    });
  });
});

describe("translator.translations.create", () => {
  it("asks for one sentence at a time, and keeps what lies between", async () => {
    const { translations } = await create();
    const { data, model, usage } = await translations.create({
      input: "One two.  Three!\n\n- four\n",
      source: "EN",
      target: "zh-TW",
    });
    expect(data).toEqual([{ index: 0, text: "ONE TWO.  THREE!\n\n- FOUR\n", source: "en", finish_reason: "stop" }]);
    expect(fake.runs).toEqual([
      ["One two.", "en", "zh-Hant", undefined, undefined],
      ["Three!", "en", "zh-Hant", undefined, undefined],
      ["- four", "en", "zh-Hant", undefined, undefined],
    ]);
    expect([model, usage]).toEqual(["flan-t5-small", { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 }]);
    expect([fake.freed, fake.live]).toEqual([3, 0]);
  });

  it("streams deltas, and the whole that counts", async () => {
    const { translations } = await create();
    const events: TranslationStreamEvent[] = [];
    for await (const event of await translations.create({ input: ["one two", "three"], target: "de", stream: true }))
      events.push(event);
    expect(events.slice(0, 4)).toEqual([
      { type: "translation.text.delta", index: 0, delta: "ONE" },
      { type: "translation.text.delta", index: 0, delta: " TWO" },
      { type: "translation.text.done", index: 0, text: "ONE TWO", finish_reason: "stop" },
      { type: "translation.text.delta", index: 1, delta: "THREE" },
    ]);
    Object.assign(fake, { answer: "eins", finish: "repetition" });
    const { data } = await translations.create({ input: "one one one", target: "de", max_tokens: 9 });
    expect(data).toEqual([{ index: 0, text: "eins", finish_reason: "repetition" }]);
    expect(fake.runs.at(-1)).toEqual(["one one one", undefined, "de", 9, undefined]);
  });

  it("asks for as many beams as it is told to, and says how many the files advise", async () => {
    const { translations, model } = await create();
    expect(model.beams).toBe(4);
    await translations.create({ input: "one", target: "de", beams: model.beams });
    await translations.create({ input: "one", target: "de", beams: 1 });
    await translations.create({ input: "one", target: "de", beams: null });
    expect(fake.runs.map(([, , , , beams]) => beams)).toEqual([4, undefined, undefined]);
  });

  it("takes codes of rare languages, which have no name here", async () => {
    fake.languages = { ...fake.languages, targets: ["xqa", "ace-Arab"] };
    const { translations } = await create();
    for (const target of ["xqa", "ace_Arab"]) await translations.create({ input: "one", target });
    expect(fake.runs.map(([, , target]) => target)).toEqual(["xqa", "ace-Arab"]);
  });

  it("cuts what the model finds too long", async () => {
    fake.most = 20;
    const { translations } = await create();
    const input = "one two three four, five six seven eight, nine ten.";
    expect((await translations.create({ input, target: "de" })).data[0]?.text).toBe(input.toUpperCase());
  });

  it.each([
    [{ target: "it" }, /target must be a language that flan-t5-small translates \(de, fr, zh-Hant\), found "it"/],
    [{ target: "zh-CN" }, /\(de, fr, zh-Hant\), found "zh-CN"/],
    [{ target: null }, /target must be a language that flan-t5-small writes \(de, fr, zh-Hant\), found nothing/],
    [{ target: "de", source: "it" }, /source must be a language .*\(en, de\)/],
    [{ target: "de", top_p: 0.5 }, /top_p must be absent/],
    [{ target: "de", temperature: 1 }, /temperature must be absent/],
  ])("refuses %j by name", async (params, message) => {
    const { translations } = await create();
    await expect(translations.create({ input: "one", ...params })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(message) as string,
    });
    expect(fake.runs).toEqual([]);
  });

  it("needs what the model needs, and refuses what it cannot be told", async () => {
    fake.languages = { sources: ["en"], targets: [], needsSource: true, needsTarget: false, plain: true };
    const { translations } = await create();
    expect(await code(translations.create({ input: "one", target: null }))).toBe("invalid_request");
    expect(await code(translations.create({ input: "one", source: "en", target: "de" }))).toBe("invalid_request");
    expect((await translations.create({ input: "one", source: "en", target: null })).data[0]?.text).toBe("ONE");
    expect(fake.runs).toEqual([["one", "en", undefined, undefined, undefined]]);
  });

  it("runs one request after another, and stops at once when it is aborted", async () => {
    fake.stepMs = 2;
    const { translations } = await create();
    await Promise.all(["one two", "three four"].map((input) => translations.create({ input, target: "de" })));
    expect(fake.mostLive).toBe(1);
    const controller = new AbortController();
    const { signal } = controller;
    const stream = await translations.create({ input: "word ".repeat(60), target: "de", stream: true, signal });
    const read = async (): Promise<void> => {
      for await (const event of stream) if (event.type === "translation.text.delta") controller.abort();
    };
    expect(await code(read())).toBe("cancelled");
    expect((await translations.create({ input: "five", target: "de" })).data[0]?.text).toBe("FIVE");
    expect(fake.live).toBe(0);
  });

  it("starts another worker after a trap, and none after its end", async () => {
    const translator = await create();
    fake.trapAt = 1;
    expect(await code(translator.translations.create({ input: "one", target: "de" }))).toBe("worker_died");
    expect((await translator.translations.create({ input: "two", target: "de" })).data[0]?.text).toBe("TWO");
    expect([fake.loads, TranslationWorkerDouble.all.length]).toEqual([2, 2]);
    translator.dispose();
    expect(await code(translator.translations.create({ input: "three", target: "de" }))).toBe("disposed");
    expect(TranslationWorkerDouble.all.every(({ isTerminated }) => isTerminated)).toBe(true);
  });
});
