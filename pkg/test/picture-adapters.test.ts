/** Pictures through the package's other interfaces: clients of OpenAI's API, the AI SDK, the Prompt API, documents. */
import * as six from "ai-6";
import * as seven from "ai";
import OpenAI from "openai";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { createHearth, type CallOptions } from "../src/ai-sdk/index.js";
import { ask, Library, MemoryStore } from "../src/documents/index.js";
import type { Engine } from "../src/index.js";
import { createFetch } from "../src/openai-fetch.js";
import { promptApi } from "../src/prompt-api/index.js";
import { create, useFakeCore } from "./engine-support.js";
import { FakeBitmap, FakeImageData, stubCanvas } from "./fake-canvas.js";
import { VISION } from "./fake-objects.js";
import { fakePictures } from "./fake-pictures.js";
import { fake } from "./fake-wasm.js";

const PNG = "FAKE:png:3x2";
const BYTES = new TextEncoder().encode(PNG);
const URL_OF_IT = `data:image/png;base64,${btoa(PNG)}`;
const TEXT = "!echo one two";

useFakeCore();

let engine: Engine;
beforeEach(async () => {
  vi.stubGlobal("AI_SDK_LOG_WARNINGS", false);
  stubCanvas();
  fake.vision = VISION;
  engine = await create();
});

const sent = (): unknown => fake.request?.messages?.at(-1)?.content;
const IMAGE = { type: "image", image: expect.stringMatching(/^key:/) as string };
const PARTS = [{ type: "text", text: TEXT }, IMAGE];

describe("OpenAI's client", () => {
  let client: OpenAI;
  beforeEach(() => {
    client = new OpenAI({ apiKey: "none", baseURL: "https://hearth.invalid/v1", fetch: createFetch(engine) });
  });

  it("sends pictures with chats", async () => {
    const content = [
      { type: "text" as const, text: TEXT },
      { type: "image_url" as const, image_url: { url: URL_OF_IT, detail: "high" as const } },
    ];
    const answer = await client.chat.completions.create({ model: "any", messages: [{ role: "user", content }] });
    expect(answer.choices[0]?.message.content).toBe("one two");
    expect(sent()).toEqual(PARTS);
    expect(fakePictures.prepared).toMatchObject([{ detail: "high" }]);
  });

  it("gets the faults of pictures as its own", async () => {
    const url = `data:image/png;base64,${btoa("%PDF")}`;
    const content = [{ type: "image_url" as const, image_url: { url } }];
    const asked = client.chat.completions.create({ model: "any", messages: [{ role: "user", content }] });
    await expect(asked).rejects.toMatchObject({ status: 400, code: "picture_undecodable" });
  });

  it("sends pictures with responses", async () => {
    const picture = { type: "input_image" as const, image_url: URL_OF_IT, detail: "low" as const };
    const input = [{ role: "user" as const, content: [{ type: "input_text" as const, text: TEXT }, picture] }];
    const response = await client.responses.create({ model: "any", input });
    expect(response.output_text).toBe("one two");
    expect(sent()).toEqual(PARTS);
    expect(fakePictures.prepared).toMatchObject([{ detail: "low" }]);
  });

  it.each([
    ["input[0].content[0].file_id", { type: "input_image", file_id: "file-1" }, "user"],
    ["input[0].content[0].image_url", { type: "input_image" }, "user"],
    ["input[0].content", { type: "input_image", image_url: URL_OF_IT }, "assistant"],
    ["input[0].content", { type: "input_file", file_id: "file-1" }, "user"],
  ])("is told of %s", async (name, part, role) => {
    const asked = client.responses.create({ model: "any", input: [{ role, content: [part] }] as never });
    await expect(asked).rejects.toThrow(name);
  });
});

describe.each([
  ["ai 7", seven, "v4"],
  ["ai 6", six as unknown as typeof seven, "v3"],
] as const)("%s", (_, ai, specification) => {
  it("sends pictures as bytes and as addresses, which it does not fetch itself", async () => {
    const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(() => Promise.resolve(new Response(PNG)));
    const model = createHearth(engine, { specification })();
    for (const image of [BYTES, URL_OF_IT, new URL("https://x.test/a.png")]) {
      const content = [
        { type: "text" as const, text: TEXT },
        { type: "image" as const, image, mediaType: "image/png" },
      ];
      const { text } = await ai.generateText({ model, messages: [{ role: "user", content }] });
      expect(text).toBe("one two");
      expect(sent()).toEqual(PARTS);
    }
    expect(fetched).toHaveBeenCalledTimes(1);
  });
});

describe("the AI SDK's provider", () => {
  const asked = (part: object): Promise<unknown> =>
    createHearth(engine)().doGenerate({ prompt: [{ role: "user", content: [part] }] } as unknown as CallOptions);

  it("takes a detail", async () => {
    const data = { type: "data", data: btoa(PNG) };
    await asked({ type: "file", mediaType: "image/*", data, providerOptions: { hearth: { detail: "low" } } });
    expect(fakePictures.prepared).toMatchObject([{ detail: "low" }]);
  });

  it.each([
    ["audio/wav", { type: "data", data: "" }, 'type "audio/wav"'],
    ["image/png", { type: "reference", reference: {} }, 'found "reference"'],
    ["image/png", undefined, "found"],
  ])("refuses %s %j by name", async (mediaType, data, message) => {
    await expect(asked({ type: "file", mediaType, data })).rejects.toThrow(message);
  });
});

describe("the Prompt API", () => {
  it.each<[string, ImageBitmapSource | BufferSource]>([
    ["a Blob", new Blob([PNG])],
    ["bytes", BYTES],
    ["a buffer", BYTES.slice().buffer],
    ["a bitmap", new FakeBitmap(3, 2)],
    ["ImageData", new FakeImageData(new Uint8ClampedArray(24), 3, 2) as unknown as ImageData],
  ])("takes %s", async (_, value) => {
    const session = await promptApi(engine).create({ expectedInputs: [{ type: "image" }] });
    const content = [
      { type: "text", value: TEXT },
      { type: "image", value },
    ];
    expect(await session.measureContextUsage([{ role: "user", content }])).toBeGreaterThan(200);
    expect(await session.prompt([{ role: "user", content }])).toBe("one two");
    expect(sent()).toEqual(PARTS);
    // The picture stays in the conversation.
    await session.prompt("and?");
    expect(fakePictures.prepared).toHaveLength(1);
    expect(fake.request?.messages).toHaveLength(3);
  });

  it("says of a model that sees nothing that pictures are not supported", async () => {
    fake.vision = null;
    const blind = promptApi(await create());
    const failed = blind.create({ expectedInputs: [{ type: "image" }] });
    await expect(failed).rejects.toMatchObject({ name: "NotSupportedError" });
    const session = await blind.create();
    const picture = [{ type: "image", value: new Blob([PNG]) }];
    for (const role of ["user", "assistant"] as const) {
      const asked = session.prompt([{ role, content: picture }]);
      await expect(asked).rejects.toMatchObject({ name: "NotSupportedError" });
    }
  });
});

it("a question to documents keeps its pictures", async () => {
  const library = await Library.open({ store: new MemoryStore() });
  await library.add({ name: "a.txt", text: "The chimney sweep comes in March." });
  const picture = { type: "image_url" as const, image_url: { url: URL_OF_IT } };
  const content = [{ type: "text" as const, text: "When does the sweep come?" }, picture];
  const large = await create({ contextSize: 20_000 });
  const stream = await ask(large, { library, messages: [{ role: "user", content }] });
  await stream.message();
  expect(sent()).toMatchObject([{ text: expect.stringContaining("in March") as string }, IMAGE]);
});
