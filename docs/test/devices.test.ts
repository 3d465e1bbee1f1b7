/** Code of the documentation that has more to it than an engine: pictures, sound, servers, workers, components. */
import type { Transcriber } from "hearth-llm/audio";
import { createElement } from "react";
import { renderToString } from "react-dom/server";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { AudioWorkerDouble } from "../../pkg/test/audio-worker-double.js";
import { GGML, useFakeModule, wav } from "../../pkg/test/audio-support.js";
import { create, useFakeCore } from "../../pkg/test/engine-support.js";
import { stubCanvas } from "../../pkg/test/fake-canvas.js";
import { VISION } from "../../pkg/test/fake-objects.js";
import { fake } from "../../pkg/test/fake-wasm.js";
import { ANSWER, CHAT, server, useServer } from "../../pkg/test/remote/support.js";
import { events, stream } from "../../pkg/test/remote/server.js";
import { WorkerDouble } from "../../pkg/test/worker-double.js";

vi.mock("../../pkg/src/engine.js", async (importOriginal) => {
  const { onFakeCore } = await import("./engine.js");
  return onFakeCore(await importOriginal());
});

useFakeModule();
useFakeCore();

let printed: string[];
beforeEach(() => {
  printed = [];
  vi.spyOn(console, "log").mockImplementation((...words: unknown[]) => printed.push(words.join(" ")));
});

it("a picture is looked at", async () => {
  const { look } = await import("../snippets/pictures.js");
  stubCanvas();
  fake.vision = VISION;
  expect(await look(new File(["FAKE:png:3x2"], "a.png", { type: "image/png" }))).not.toBe("");
  expect(fake.pictures.size).toBe(1);
});

describe("speech", () => {
  const recording = new File([wav()], "a.wav");
  const model = async (): Promise<typeof Transcriber> => {
    const { Transcriber } = await import("hearth-llm/audio");
    const make = Transcriber.create.bind(Transcriber);
    vi.spyOn(Transcriber, "create").mockImplementation((options) => make({ ...options, model: GGML }));
    vi.stubGlobal("Worker", AudioWorkerDouble);
    return Transcriber;
  };

  it("of a recording is written down", async () => {
    const { recording: transcribe } = await import("../snippets/speech.js");
    await model();
    expect(await transcribe(recording)).not.toBe("");
    expect(printed.at(-1)).toMatch(/^ready/);
  });

  it("comes through OpenAI's client as well", async () => {
    const { transcribe } = await import("../snippets/speech-openai.js");
    const transcriber = await (await model()).create({ model: "openai/whisper-base" });
    vi.stubGlobal("Worker", WorkerDouble);
    expect(await transcribe(await create(), transcriber, recording)).not.toBe("");
    transcriber.dispose();
  });

  it("of a microphone is appended when it is final", async () => {
    const { microphone } = await import("../snippets/speech.js");
    const { listen } = await import("../snippets/speech-readme.js");
    vi.stubGlobal("navigator", { mediaDevices: { getUserMedia: () => Promise.resolve({}) } });
    async function* live() {
      await Promise.resolve();
      yield { type: "partial", text: "one", tentative: "two" };
      yield { type: "final", text: "one two" };
    }
    const audio = { live, transcriptions: { create: () => Promise.resolve({ text: "whole" }) } };
    const shown: string[] = [];
    const double = { audio } as unknown as Transcriber;
    await microphone(
      double,
      (text) => shown.push(text),
      (text, tentative) => shown.push(`${text}/${tentative}`),
    );
    expect(shown).toEqual(["one/two", "one two"]);
    vi.spyOn(await model(), "create").mockResolvedValue(double);
    await listen(recording);
    expect(printed).toEqual(["whole", "partial one", "final one two"]);
  });
});

describe("a server", () => {
  useServer();

  it("answers, and is chosen by a router", async () => {
    const { connect, route } = await import("../snippets/remote.js");
    server.answers[CHAT] = stream(events(...ANSWER, "[DONE]"));
    const fetch = globalThis.fetch.bind(globalThis);
    vi.stubGlobal("fetch", (url: string | URL, init: RequestInit) =>
      fetch(String(url).replace("http://localhost:8000/v1", server.address), init),
    );
    const remote = await connect("key");
    expect(printed.join()).toContain("one  server,two server");
    expect(server.asked.at(-1)?.headers.authorization).toBe("Bearer key");
    const router = await route(remote);
    expect(router.backend.model).toBeDefined();
    router.dispose();
    remote.dispose();
  });
});

it("the browser's own model answers", async () => {
  const { builtIn } = await import("../snippets/remote.js");
  const promptStreaming = (): ReadableStream<string> =>
    new ReadableStream({
      start: (controller) => {
        controller.enqueue("hello");
        controller.close();
      },
    });
  const create = () => Promise.resolve({ promptStreaming, destroy: () => undefined });
  vi.stubGlobal("LanguageModel", { availability: () => Promise.resolve("available"), create });
  expect(await builtIn([{ role: "user", content: "Hi" }])).toBe("hello");
});

it("React's hooks render on a server", async () => {
  const { Chat } = await import("../snippets/react.js");
  expect(renderToString(createElement(Chat, { options: { model: "a/b" } }))).toBe("<p>Loading</p>");
});

it("PDFs have a library of their own settings, and workers have one", async () => {
  vi.stubGlobal("DOMMatrix", Object);
  // Node should have another build of pdf.js, and the page that is shown is not for Node.
  vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const { library } = await import("../snippets/documents-pdf.js");
  expect(library.list()).toEqual([]);
  await library.close();
  const { open } = await import("../snippets/documents-workers.js");
  // A worker that cannot start leaves the work to the page.
  vi.stubGlobal("Worker", undefined);
  const { library: other, close } = await open();
  await other.add({ name: "a.md", text: "warm house" });
  expect(await other.search("house")).toHaveLength(1);
  await close();
});
