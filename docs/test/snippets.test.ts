/** Code of the documentation, run on the fake core: what it shows is what happens. */
import { beforeEach, expect, it, vi } from "vitest";
import { create, useFakeCore } from "../../pkg/test/engine-support.js";
import { fake } from "../../pkg/test/fake-wasm.js";

vi.mock("../../pkg/src/engine.js", async (importOriginal) => {
  const { onFakeCore } = await import("./engine.js");
  return onFakeCore(await importOriginal());
});

useFakeCore();

let printed: string[];
beforeEach(() => {
  printed = [];
  vi.spyOn(console, "log").mockImplementation((...words: unknown[]) => printed.push(words.join(" ")));
});

const say = (text: string): { role: "user"; content: string }[] => [{ role: "user", content: `!echo ${text}` }];

it("the first five lines answer", async () => {
  await import("../snippets/start.js");
  expect(printed).toHaveLength(1);
  expect(printed[0]).toContain("hearth");
});

it.each(["readme", "package-readme", "ai-sdk"])("%s streams an answer", async (name) => {
  await import(`../snippets/${name}.ts`);
  expect(printed.length).toBeGreaterThan(10);
  expect(printed.join("")).toContain("hearth");
});

it("a script streams to its output", async () => {
  const written: unknown[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => written.push(text) > 0);
  await import("../snippets/node.js");
  write.mockRestore();
  expect(written.join("")).toContain("hearth");
});

it("texts are translated, whole and as they come", async () => {
  const { byChat, byTranslator } = await import("../snippets/translation.js");
  const { translate } = await import("../snippets/translation-readme.js");
  const { Translator } = await import("hearth-llm/translation");
  await byChat();
  expect(printed).toHaveLength(1);
  const data = [{ index: 0, text: "Guten Morgen." }];
  const dispose = vi.fn();
  const double = { translations: { create: () => Promise.resolve({ data }) }, dispose };
  vi.spyOn(Translator, "create").mockResolvedValue(double as unknown as Awaited<ReturnType<typeof Translator.create>>);
  await byTranslator();
  expect(printed[1]).toBe("Guten Morgen.");
  expect(dispose).toHaveBeenCalledOnce();
  await translate(await create(), "One. Two.");
  expect(printed[2]?.split("\n")).toHaveLength(3);
  expect(printed.length).toBeGreaterThan(3);
});

it("a server of OpenAI's API answers", async () => {
  vi.stubEnv("PORT", "0");
  const { server } = await import("../snippets/node-serve.js");
  expect(printed).toEqual([server.url]);
  const models = (await (await fetch(`${server.url}/models`)).json()) as { object: string };
  expect(models.object).toBe("list");
  await server.close();
});

it("a load shows its progress, and the CPU says that it is in use", async () => {
  const { load, onEitherDevice } = await import("../snippets/load.js");
  const shown: string[] = [];
  const engine = await load((text) => shown.push(text), new AbortController());
  engine.dispose();
  expect(shown.at(-1)).toMatch(/^ready: 100000 of /);
  const stopped = new AbortController();
  stopped.abort();
  await expect(load(() => undefined, stopped)).rejects.toMatchObject({ code: "cancelled" });
  (await onEitherDevice()).dispose();
  expect(printed[0]).toMatch(/^cpu/);
});

it("a conversation has each question with its answer", async () => {
  const { converse, resume, withoutTemplate } = await import("../snippets/chat.js");
  const engine = await create();
  const messages = await converse(engine, ["!echo one", "!echo two"]);
  expect(messages.map(({ content }) => content)).toEqual(["Be brief.", "!echo one", "one", "!echo two", "two"]);
  expect(await resume(engine, messages)).not.toBe("");
  expect(fake.request).toMatchObject({ continue_final_message: true });
  expect(await withoutTemplate(engine)).not.toBe("");
});

it("a stream is read, stopped and counted", async () => {
  const { stream, stoppable, counted } = await import("../snippets/streaming.js");
  const engine = await create();
  await stream(engine, say("one two three"));
  expect(printed.join("")).toBe("one two three");
  expect(await counted(engine, say("a b"))).toBe(2);
  const controller = new AbortController();
  const shown: string[] = [];
  fake.stepMs = 1;
  await stoppable(engine, say("one two three four five"), controller, (text) => {
    shown.push(text);
    if (shown.length === 2) controller.abort();
  });
  expect(shown.length).toBeLessThan(5);
  await vi.waitFor(() => {
    expect(fake.cancelled).toBe(1);
  });
});

it("a format is followed", async () => {
  const { describe, classify } = await import("../snippets/structured.js");
  const engine = await create();
  // The fake core has no model: its answer to a schema is the format, to a choice the first one.
  expect(JSON.stringify(await describe(engine))).toContain("additionalProperties");
  expect(await classify(engine, "Hello!")).toBe("yes");
});

it("a tool is called, and its result answered with", async () => {
  const { answer } = await import("../snippets/tools.js");
  const client = { listTools: () => Promise.resolve({ tools: [] }), callTool: () => Promise.resolve({ content: [] }) };
  fake.toolStyle = "hermes";
  const engine = await create();
  const call = '<tool_call>{"name":"clock","arguments":{}}</tool_call>';
  const { messages, reason } = await answer(engine, say(call), client);
  expect(printed[0]).toContain("clock");
  expect(messages.map(({ role }) => role)).toEqual(["assistant", "tool", "assistant"]);
  expect(messages[1]?.content).toMatch(/^\d{4}-/);
  expect(reason).toBe("answer");
});

it("kept files are listed", async () => {
  const { forget } = await import("../snippets/cache.js");
  vi.stubGlobal("navigator", { storage: { persist: () => Promise.resolve(true) } });
  await forget("https://example.org/none.gguf").catch(() => undefined);
  expect(printed).toHaveLength(1);
});

it("a failure is told, and no GPU leads to the CPU", async () => {
  const { open, watch } = await import("../snippets/errors.js");
  const { Engine, HearthError } = await import("hearth-llm");
  const make = vi.spyOn(Engine, "create");
  const told: string[] = [];
  make.mockRejectedValueOnce(new HearthError("bad_file", "It is damaged.", { hint: "Fetch it again." }));
  expect(await open("a/b", (text) => told.push(text))).toBeUndefined();
  expect(told).toEqual(["It is damaged. Fetch it again."]);
  make.mockRejectedValueOnce(new HearthError("no_webgpu", "There is none."));
  const engine = await open("a/b", (text) => told.push(text));
  expect(make).toHaveBeenLastCalledWith({ model: "a/b", device: "cpu" });
  if (engine === undefined) throw new Error("it was not opened");
  watch(engine, (text) => told.push(text));
  engine.dispose();
  await engine.closed;
  expect(told).toHaveLength(1);
});

it("a model is looked at before it is fetched, and corrected", async () => {
  const { ask, corrected } = await import("../snippets/models.js");
  expect(JSON.parse(await ask())).toMatchObject({
    report: expect.any(Object) as object,
    verdict: expect.any(String) as string,
  });
  (await corrected()).dispose();
  expect(fake.loaderOptions?.overrides).toMatchObject({ ropeScaling: { kind: "yarn" } });
});

it("texts are embedded and ranked", async () => {
  const { embed, rank, classify } = await import("../snippets/embeddings.js");
  const engine = await create();
  expect(await embed(engine)).toHaveLength(2);
  expect(await rank(engine)).toHaveLength(1);
  const picture = new Blob(["FAKE:png:3x2"], { type: "image/png" });
  await expect(classify(engine, picture, ["a cat"])).rejects.toThrow("makes no embeddings of pictures");
});

it("OpenAI's client and LangChain's answer", async () => {
  const { clientOf } = await import("../snippets/openai.js");
  const { chatOf } = await import("../snippets/langchain.js");
  const engine = await create();
  const { choices } = await clientOf(engine).chat.completions.create({ model: "any", messages: say("one") });
  expect(choices[0]?.message.content).toBe("one");
  expect((await chatOf(engine).invoke("!echo two")).content).toBe("two");
});

it("the Prompt API answers", async () => {
  await import("../snippets/prompt-api.js");
  expect(printed.join("")).toContain("hearth");
  expect("LanguageModel" in globalThis).toBe(true);
});

it("a shared engine answers", async () => {
  await import("../snippets/shared.js");
  expect(printed[0]).toBe("leader");
  expect(printed[1]).toContain("hearth");
});

it("documents are read, searched and answered from", async () => {
  const { answer, find, calls } = await import("../snippets/documents.js");
  const { Library, MemoryStore } = await import("hearth-llm/documents");
  const file = new File(["# Fire\n\nThe chimney sweep comes in May.\n"], "house.md");
  const { content } = await answer(file, "When does the chimney sweep come?");
  expect(content).not.toBe("");
  const library = await Library.open({ store: new MemoryStore() });
  await library.add({ name: "a.md", text: "is_site_local tells whether an address is of this site." });
  printed = [];
  await find(library);
  expect(printed[0]).toMatch(/^a\.md/);
  const engine = await create();
  const messages = say("no call");
  await calls(engine, library, messages);
  expect(JSON.stringify(fake.request)).toContain("search_documents");
  expect(messages).toHaveLength(1);
  await library.close();
});
