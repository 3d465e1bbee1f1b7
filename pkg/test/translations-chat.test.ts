/** Translations by chat: what each family of models is asked, and how its answers are read. */
import { describe, expect, it, vi } from "vitest";
import { apiOf } from "../src/api/api.js";
import type { Backend, LocalEngine } from "../src/backend/backend.js";
import type { ChatCompletionCreateParamsStreaming } from "../src/api/openai.js";
import { HearthError } from "../src/core/errors.js";
import { familyOf, HUNYUAN, PLAIN, TRANSLATE_GEMMA } from "../src/translations/families.js";
import { code, create, useFakeCore } from "./engine-support.js";
import { MODEL } from "./fake-objects.js";
import { Engine as WasmEngine, fake } from "./fake-wasm.js";

useFakeCore();

type Request = Omit<ChatCompletionCreateParamsStreaming, "signal">;

/** Returns a backend that answers every chat by a function, and the requests that it gets. */
function backendOf(
  model: { name: string; architecture?: string; n_ctx?: number; thought_marks?: object },
  answer: (request: Request) => string[] = () => ["Hallo"],
  isLocal = true,
): { backend: Backend; asked: Request[] } {
  const asked: Request[] = [];
  const facts = { ...MODEL, ...model };
  async function* chunks(request: Request): AsyncGenerator<object> {
    for (const content of answer(request)) {
      await Promise.resolve();
      yield { choices: [{ index: 0, delta: { content }, finish_reason: null }], usage: null };
    }
    yield { choices: [{ index: 0, delta: {}, finish_reason: "stop" }], usage: null };
    yield { choices: [], usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 } };
  }
  const backend = {
    model: isLocal ? facts : { name: model.name },
    ...(isLocal ? { local: { model: facts } as unknown as LocalEngine } : {}),
    streamChat: (request: Request) => {
      asked.push(request);
      return Promise.resolve(chunks(request));
    },
  };
  return { backend: backend as unknown as Backend, asked };
}

const GEMMA = { name: "Translategemma 4b It", architecture: "gemma3" };
const HY = { name: "HY-MT2-1.8B", architecture: "hunyuan-dense" };

describe("the family of a model", () => {
  it.each([
    [GEMMA, TRANSLATE_GEMMA],
    [{ name: "google/translategemma-12b-it", architecture: "gemma3" }, TRANSLATE_GEMMA],
    [HY, HUNYUAN],
    [{ name: "model", architecture: "hunyuan-dense" }, HUNYUAN],
    [{ name: "Hunyuan-MT-7B", architecture: "llama" }, HUNYUAN],
    [{ name: "Gemma 3 4b It", architecture: "gemma3" }, PLAIN],
    [{ name: "Qwen3 0.6B", architecture: "qwen3" }, PLAIN],
    [{ name: "Phymt", architecture: "phi3" }, PLAIN],
  ])("of %j is told by its facts", (model, family) => {
    expect(familyOf(backendOf(model).backend)).toBe(family);
  });

  it("of a model on a server is told by its name", () => {
    expect(familyOf(backendOf({ name: "translategemma:4b" }, undefined, false).backend)).toBe(TRANSLATE_GEMMA);
  });
});

describe("TranslateGemma", () => {
  it("gets one part with the text and the languages", async () => {
    const { backend, asked } = backendOf(GEMMA);
    const params = { input: "Hello", source: "en", target: "zho_Hant" };
    const { data, usage } = await apiOf(backend).translations.create(params);
    expect(data).toEqual([{ index: 0, text: "Hallo", source: "en", finish_reason: "stop" }]);
    expect(usage).toEqual({ prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 });
    const part = { type: "text", text: "Hello", source_lang_code: "en", target_lang_code: "zh-Hant" };
    expect(asked).toMatchObject([{ messages: [{ role: "user", content: [part] }], temperature: 0 }]);
  });

  it.each([
    ["zh", "zh-Hans"],
    ["zh-CN", "zh-Hans"],
    ["zh-TW", "zh-Hant"],
    ["pt-BR", "pt-BR"],
    ["tl", "fil"],
  ])("knows %s as %s", async (target, expected) => {
    const { backend, asked } = backendOf(GEMMA);
    await apiOf(backend).translations.create({ input: "Hello", source: "en", target });
    expect(asked).toMatchObject([{ messages: [{ content: [{ target_lang_code: expected }] }] }]);
  });

  it("does not find out the language, so a request without one is refused", async () => {
    const { backend, asked } = backendOf(GEMMA);
    const failing = apiOf(backend).translations.create({ input: "Hello", target: "de" });
    await expect(failing).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("source") as string,
    });
    expect(asked).toEqual([]);
  });

  it("refuses a language by its template, which becomes an error with the languages", async () => {
    const { backend } = backendOf(GEMMA, () => {
      throw new HearthError("template_error", "chat template: Unsupported target language code: tlh");
    });
    await expect(
      apiOf(backend).translations.create({ input: "Hello", source: "en", target: "tlh" }),
    ).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("into tlh") as string,
      hint: expect.stringContaining("de, el, en") as string,
    });
  });

  it("is known by its template where its file has no name", async () => {
    const { backend, asked } = backendOf({ name: "model", architecture: "gemma3" }, ({ messages }) => {
      if (Array.isArray(messages[0]?.content)) return ["Hallo"];
      throw new HearthError(
        "template_error",
        "User content must be a mapping(type, source_lang_code, target_lang_code)",
      );
    });
    const { translations } = apiOf(backend);
    await translations.create({ input: ["One", "Two"], source: "en", target: "de" });
    expect(asked.map(({ messages }) => typeof messages[0]?.content)).toEqual(["string", "object", "object"]);
    expect((await translations.languages()).needsSource).toBe(true);
  });

  it("gets the part through the request, the worker and the core as it is", async () => {
    vi.spyOn(WasmEngine.prototype, "info").mockReturnValue({ ...MODEL, ...GEMMA });
    const engine = await create();
    await engine.translations.create({ input: "Good day", source: "en", target: "de" });
    const part = { type: "text", text: "Good day", source_lang_code: "en", target_lang_code: "de" };
    expect(fake.request?.messages).toEqual([{ role: "user", content: [part] }]);
  });
});

describe("HY-MT", () => {
  const promptOf = ({ messages }: Request): unknown => messages[0]?.content;

  it("gets the prompt and the sampling of its card", async () => {
    const { backend, asked } = backendOf(HY);
    await apiOf(backend).translations.create({ input: "Hello", source: "en", target: "de" });
    expect(asked.map(promptOf)).toEqual([
      "Translate the following segment into German, without additional explanation.\n\nHello",
    ]);
    expect(asked).toMatchObject([{ temperature: 0.7, top_p: 0.6, top_k: 20, repetition_penalty: 1.05 }]);
  });

  it.each([
    [{ input: "Hello", source: "en", target: "zh" }, "中文"],
    [{ input: "Hello", target: "zh-TW" }, "繁体中文"],
    [{ input: "你好", source: "zh-Hans", target: "de-DE" }, "德语"],
    [{ input: "你好，我是学生", target: "en" }, "英语"],
  ])("gets the Chinese prompt where Chinese is on either side: %j", async (params, name) => {
    const { backend, asked } = backendOf(HY);
    await apiOf(backend).translations.create(params);
    expect(asked.map(promptOf)).toEqual([
      `将以下文本翻译为${name}，注意只需要输出翻译后的结果，不要额外解释：\n\n${params.input}`,
    ]);
  });

  it("does not take Japanese for Chinese", async () => {
    const { backend, asked } = backendOf(HY);
    await apiOf(backend).translations.create({ input: "日本語の文です", target: "en" });
    expect(asked.map(promptOf)).toEqual([expect.stringMatching(/^Translate .* into English/)]);
  });

  it("samples as it is told to, and without what servers may not know", async () => {
    const sampling = { temperature: 0, top_p: 1, seed: 7 };
    const local = backendOf(HY);
    await apiOf(local.backend).translations.create({ input: "Hello", target: "de", ...sampling });
    expect(local.asked).toMatchObject([{ ...sampling, top_k: 20, repetition_penalty: 1.05 }]);
    const remote = backendOf(HY, undefined, false);
    await apiOf(remote.backend).translations.create({ input: "Hello", target: "de" });
    expect(remote.asked).toMatchObject([{ temperature: 0.7, top_p: 0.6 }]);
    for (const field of ["top_k", "repetition_penalty", "chat_template_kwargs", "max_tokens"]) {
      expect(remote.asked[0]).not.toHaveProperty(field);
    }
  });

  it("refuses languages that it lacks, with those that it has", async () => {
    const { backend } = backendOf(HY);
    await expect(apiOf(backend).translations.create({ input: "Hello", target: "sv" })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(
        /target must be a language that HY-MT2-1\.8B translates \(zh, zh-Hant, .*\), found "sv"/,
      ) as string,
    });
    const { targets } = await apiOf(backend).translations.languages();
    expect(targets).toHaveLength(38);
  });
});

describe("any other chat model", () => {
  it("gets one plain instruction, and takes the likeliest token", async () => {
    const { backend, asked } = backendOf({ name: "Qwen3", architecture: "qwen3" });
    await apiOf(backend).translations.create({ input: "Hello", source: "en", target: "pt-BR" });
    const [message] = asked[0]?.messages ?? [];
    expect(message?.content).toMatch(
      /^Translate the following text from English into Brazilian Portuguese\. .*\n\nHello$/,
    );
    expect(asked[0]).toMatchObject({ temperature: 0, stream_options: { include_usage: true } });
    expect(asked[0]?.max_tokens).toBe(256 + 8 * 2);
    expect(await apiOf(backend).translations.languages()).toMatchObject({ sources: undefined, targets: undefined });
  });

  it("does not think where its template can be told so, and its thoughts have no limit", async () => {
    const { backend, asked } = backendOf({ name: "Qwen3", thought_marks: {} });
    await apiOf(backend).translations.create({ input: "Hello", target: "de" });
    expect(asked).toMatchObject([{ chat_template_kwargs: { enable_thinking: false, thinking: false } }]);
    expect(asked[0]).not.toHaveProperty("max_tokens");
    await apiOf(backend).translations.create({ input: "Hello", target: "de", max_tokens: 9 });
    expect(asked[1]).toMatchObject({ max_tokens: 9 });
  });

  it("needs a target, and languages with a name", async () => {
    const { backend, asked } = backendOf({ name: "Qwen3" });
    for (const languages of [{ target: "xx" }, { target: "und" }, { source: "xx", target: "de" }]) {
      expect(await code(apiOf(backend).translations.create({ input: "Hello", ...languages }))).toBe("invalid_request");
    }
    expect(asked).toEqual([]);
    expect(await code(apiOf(backend).translations.create({ input: "Hello", target: null }))).toBe("invalid_request");
    // Beams are those of models made for translation.
    const beams = apiOf(backend).translations.create({ input: "Hello", target: "de", beams: 4 });
    await expect(beams).rejects.toThrow("chat models have no beams");
    expect(asked).toEqual([]);
  });

  it("is asked for less at once where its context is small", async () => {
    const input = "This is a sentence of some length, and it has a comma. ".repeat(60).trimEnd();
    const large = backendOf({ name: "Qwen3", n_ctx: 4096 });
    await apiOf(large.backend).translations.create({ input, target: "de" });
    const small = backendOf({ name: "Qwen3", n_ctx: 200 });
    await apiOf(small.backend).translations.create({ input, target: "de" });
    expect(large.asked.length).toBe(2);
    expect(small.asked.length).toBeGreaterThanOrEqual(15);
  });

  it("is asked line by line on the engine, and the lines stay", async () => {
    const engine = await create();
    const input = "First line.\n\n  Second line.\r\n";
    const { data, usage, model } = await engine.translations.create({ input, target: "de" });
    const [first = ""] = (data[0]?.text ?? "").split("\n");
    expect(data[0]?.text).toBe(`${first}\n\n  ${first}\r\n`);
    expect([model, usage.total_tokens > 0, fake.steps > 2]).toEqual(["Fake 135M Instruct", true, true]);
  });

  it("says so where an answer was cut off", async () => {
    const engine = await create();
    const { data } = await engine.translations.create({ input: "Hello there", target: "de", max_tokens: 2 });
    expect(data[0]?.finish_reason).toBe("length");
  });

  it("stops when the stream is left", async () => {
    fake.stepMs = 5;
    const engine = await create();
    const stream = await engine.translations.create({ input: "Hello there", target: "de", stream: true });
    for await (const event of stream) if (event.type === "translation.text.delta") break;
    await vi.waitFor(() => {
      expect(fake.liveGenerations).toBe(0);
    });
    expect(fake.cancelled).toBe(1);
  });
});
