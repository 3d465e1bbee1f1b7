/** Pictures in requests: what reaches the core, each kind of input, faults with their names, and pictures that are known. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { ChatCompletionContentPartImage, PictureInput } from "../src/index.js";
import { bounded, pixelsOf } from "../src/pictures/pixels.js";
import { wouldSee } from "../src/pictures/sight.js";
import { collect, create, text, useFakeCore } from "./engine-support.js";
import { decoding, FakeBitmap, FakeImageData, rowsOf, stubCanvas } from "./fake-canvas.js";
import { VISION } from "./fake-objects.js";
import { fakePictures } from "./fake-pictures.js";
import { fake } from "./fake-wasm.js";

const PNG = "FAKE:png:3x2";
const blob = (content = PNG): Blob => new Blob([content], { type: "image/png" });
const dataUrl = (content: string): string => `data:image/png;base64,${btoa(content)}`;

useFakeCore();
beforeEach(() => {
  stubCanvas();
  fake.vision = VISION;
});

function picture(url: unknown, detail?: string): ChatCompletionContentPartImage {
  return { type: "image_url", image_url: { url: url as PictureInput, ...(detail && { detail: detail as "low" }) } };
}

function seen(...pictures: ChatCompletionContentPartImage[]) {
  return {
    messages: [{ role: "user" as const, content: [...pictures, { type: "text" as const, text: "!echo a b" }] }],
  };
}

const lastContent = (): unknown => fake.request?.messages?.at(-1)?.content;

describe("a picture in a message", () => {
  it("reaches the core as a key among the texts, in their order, and is counted", async () => {
    const engine = await create();
    const { usage } = await engine.chat.completions.create({
      messages: [
        { role: "system", content: [{ type: "text", text: "be brief" }] },
        {
          role: "user",
          content: [
            { type: "text", text: "a" },
            { type: "text", text: "b" },
            picture(blob(), "low"),
            { type: "text", text: "c" },
          ],
        },
      ],
    });
    const [key = ""] = fake.pictures.keys();
    expect(fake.request?.messages).toEqual([
      { role: "system", content: "be brief" },
      {
        role: "user",
        content: [
          { type: "text", text: "ab" },
          { type: "image", image: key },
          { type: "text", text: "c" },
        ],
      },
    ]);
    expect(fake.pictures.get(key)).toEqual([0, 0, Uint32Array.of(2, 3), Uint8Array.of(0, 1, 2)]);
    expect(usage.prompt_tokens).toBe("be brief\nab<pic>c".length);
    expect(fakePictures.prepared).toMatchObject([{ width: 3, height: 2, processor: VISION, detail: "low" }]);
    expect(engine.backend.capabilities.pictures).toBe(true);
  });

  it("is decoded upright, in sRGB, with straight alpha", async () => {
    const engine = await create();
    await engine.chat.completions.create(seen(picture(blob())));
    const options = { imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: "default" };
    expect(decoding.options).toEqual(options);
    expect(fakePictures.prepared[0]?.rgba).toEqual(Uint8Array.from(rowsOf(3, 0, 2)));
  });

  it("streams its answer, and counts once for several answers", async () => {
    const engine = await create();
    const chunks = await collect(await engine.chat.completions.create({ ...seen(picture(blob())), stream: true }));
    expect(text(chunks)).toBe("a b");
    const two = await engine.chat.completions.create({ ...seen(picture(blob())), n: 2 });
    expect(two.choices.map(({ message }) => message.content)).toEqual(["a b", "a b"]);
    expect(fakePictures.prepared).toHaveLength(1);
  });

  it("is told while it is looked at, and texts are not", async () => {
    const engine = await create();
    fake.halves = true;
    const told = async (request: ReturnType<typeof seen>) => {
      const chunks = await collect(
        await engine.chat.completions.create({ ...request, stream: true, return_progress: true }),
      );
      return chunks.flatMap(({ prompt_progress: told }) => (told === undefined ? [] : [[told.phase, told.looked]]));
    };
    expect(await told(seen(picture(blob())))).toEqual([
      ["picture", 0.5],
      ["prefill", 1],
    ]);
    expect(await told(seen())).toEqual([
      ["prefill", undefined],
      ["prefill", undefined],
    ]);
  });

  it("goes on with an answer on another device", async () => {
    const engine = await create();
    fake.loseAt = 2;
    const { choices } = await engine.chat.completions.create(seen(picture(blob())));
    expect(choices[0]?.message.content).toBe("a b");
    expect(fakePictures.prepared).toHaveLength(2);
  });

  it("stays beside tools that are described in its message", async () => {
    const engine = await create();
    const tools = [{ type: "function" as const, function: { name: "add", parameters: { type: "object" } } }];
    await engine.chat.completions.create({ ...seen(picture(blob())), tools });
    expect(lastContent()).toMatchObject([
      { type: "text", text: expect.stringContaining("add") as string },
      { type: "image" },
      { type: "text", text: "!echo a b" },
    ]);
  });
});

describe("as input there is", () => {
  const bytes = Uint8ClampedArray.from({ length: 24 }, (_, i) => i);
  it.each<[string, () => unknown]>([
    ["a Blob", () => blob()],
    ["a File without a type", () => new File([PNG], "a.png")],
    ["a data address", () => dataUrl(PNG)],
    ["a data address with escapes", () => `data:,${encodeURIComponent(PNG)}`],
    ["an address of a Blob", () => URL.createObjectURL(blob())],
    ["ImageData", () => new FakeImageData(bytes, 3, 2)],
    ["ImageData of another colour space", () => new FakeImageData(bytes, 3, 2, "display-p3")],
    ["an ImageBitmap", () => new FakeBitmap(3, 2)],
    ["a canvas", () => ({ width: 3, height: 2 })],
  ])("%s", async (_, make) => {
    const engine = await create();
    await engine.chat.completions.create(seen(picture(make())));
    expect(fakePictures.prepared).toMatchObject([{ width: 3, height: 2, detail: "auto" }]);
  });

  it("a text in place of the object, as some clients write it", async () => {
    const engine = await create();
    await engine.chat.completions.create(seen({ type: "image_url", image_url: dataUrl(PNG) } as never));
    expect(fakePictures.prepared).toHaveLength(1);
  });

  it("a bitmap that stays open, and a Blob whose address may be revoked at once", async () => {
    const engine = await create();
    const bitmap = new FakeBitmap(3, 2);
    const url = URL.createObjectURL(blob());
    const asked = engine.chat.completions.create(seen(picture(bitmap), picture(url)));
    await new Promise((resolve) => setTimeout(resolve));
    URL.revokeObjectURL(url);
    await asked;
    expect(bitmap.width).toBe(3);
  });

  it("an address, fetched by the worker, once", async () => {
    const engine = await create();
    const fetched = vi.spyOn(globalThis, "fetch").mockImplementation(() => Promise.resolve(new Response(PNG)));
    for (let turn = 0; turn < 2; turn++) await engine.chat.completions.create(seen(picture(" https://x.test/a.png ")));
    expect(fetched).toHaveBeenCalledTimes(1);
    expect(fetched.mock.calls[0]?.[0]).toBe("https://x.test/a.png");
    expect(fakePictures.prepared).toHaveLength(1);
  });
});

describe("refused by name", () => {
  it.each<[string, unknown, string, string]>([
    ["nothing", undefined, "invalid_request", "messages[0].content[0].image_url.url"],
    ["an empty address", "", "invalid_request", "image_url.url"],
    ["another scheme", "ftp://x.test/a.png", "invalid_request", "https, data or blob"],
    ["a number", 7, "invalid_request", "an address, Blob, ImageBitmap, ImageData or canvas"],
    ["an object", {}, "invalid_request", "canvas"],
    ["a closed bitmap", new FakeBitmap(0, 0), "invalid_request", "closed"],
    ["floats", new FakeImageData(new Float32Array(24), 3, 2), "invalid_request", "8 bits"],
    ["a canvas of other sites", { width: 3, height: 2, isTainted: true }, "invalid_request", "other sites"],
    ["an empty file", new Blob([]), "bad_picture", "empty"],
    ["a damaged file", blob("FAKE:webp:3x2"), "picture_undecodable", "the WebP picture cannot be decoded"],
    ["HEIC", blob("FAKE:heic:3x2"), "picture_undecodable", "decodes no HEIC"],
    ["SVG", blob("<?xml?><svg xmlns='x'>"), "picture_undecodable", "SVG"],
    ["a web page", blob("<!doctype html><html>"), "picture_undecodable", "web page"],
    ["another file", blob("%PDF-1.7"), "picture_undecodable", "no picture"],
    ["a damaged data address", "data:image/png;base64,!", "picture_undecodable", "base64"],
    ["a data address without data", "data:image/png", "picture_undecodable", "comma"],
    ["too many pixels", blob("FAKE:png:60000x60000"), "bad_picture", "60000 x 60000"],
    ["a file that is too large", new Blob([new Uint8Array((64 << 20) + 1)]), "bad_picture", "64 MiB"],
    ["an address that is revoked", "blob:nodedata:gone", "picture_undecodable", "no picture at blob:"],
  ])("%s", async (_, url, code, message) => {
    const engine = await create();
    await expect(engine.chat.completions.create(seen(picture(url)))).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
      hint: expect.stringMatching(/./) as string,
    });
    // The engine lives, and answers the next request.
    const { choices } = await engine.chat.completions.create(seen(picture(blob())));
    expect(choices[0]?.message.content).toBe("a b");
  });

  it("a detail that there is not, and pictures of others than the user", async () => {
    const engine = await create();
    const asked = (messages: object[]) => engine.chat.completions.create({ messages: messages as never });
    await expect(engine.chat.completions.create(seen(picture(blob(), "most")))).rejects.toThrow("image_url.detail");
    for (const role of ["system", "assistant", "tool"]) {
      await expect(asked([{ role, content: [picture(blob())] }])).rejects.toThrow("the user's only");
    }
    await expect(asked([{ role: "user", content: [{ type: "file" }] }])).rejects.toThrow("text and image_url");
  });

  it("what a server answers, and one that sends no CORS headers", async () => {
    const engine = await create();
    const url = "https://x.test/a.png?token=secret";
    const fetched = vi.spyOn(globalThis, "fetch");
    fetched.mockResolvedValue(new Response("no", { status: 403 }));
    const refused = await engine.chat.completions.create(seen(picture(url))).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "download_http", status: 403 });
    expect((refused as Error).message).not.toContain("secret");
    fetched.mockRejectedValue(new TypeError("Failed to fetch"));
    await expect(engine.chat.completions.create(seen(picture(url)))).rejects.toMatchObject({
      code: "download_broken",
      message: expect.stringContaining("CORS") as string,
    });
    const large = new Response(PNG, { headers: { "Content-Length": String(2 ** 30) } });
    fetched.mockResolvedValue(large);
    await expect(engine.chat.completions.create(seen(picture(url)))).rejects.toMatchObject({ code: "bad_picture" });
  });

  it("by a model that sees nothing, which says what it lacks", async () => {
    fake.vision = null;
    const engine = await create();
    expect(engine.backend.capabilities.pictures).toBe(false);
    const asked = engine.chat.completions.create(seen(picture(blob())));
    await expect(asked).rejects.toMatchObject({ code: "invalid_request" });
    await expect(asked).rejects.toThrow("takes text only");
    const model = { name: "SmolVLM2 500M", architecture: "llama", n_layers: 32 };
    Object.assign(engine.model, model);
    await expect(engine.chat.completions.create(seen(picture(blob())))).rejects.toThrow(
      "projector (mmproj) is missing",
    );
  });

  it.each([
    ["llama", "SmolVLM2 500M Video Instruct", 32, true],
    ["llama", "Llama 3.2 1B", 16, false],
    ["gemma3", "Gemma 3 1b It", 26, false],
    ["gemma3", "Gemma 3 4b It", 34, true],
    ["qwen2vl", "any", 28, true],
    ["mistral3", "Ministral 3 3B Instruct 2512", 26, true],
    ["lfm2", "LFM2 VL 450M", 16, true],
    ["lfm2", "LFM2 1.2B", 16, false],
    ["llama", "Devlin", 16, false],
  ])("%s %s: would it see: %s", (architecture, name, n_layers, expected) => {
    expect(wouldSee({ architecture, name, n_layers })).toBe(expected);
  });
});

describe("a picture that is known", () => {
  it("is neither decoded nor prepared again, by bytes, however it comes", async () => {
    const engine = await create();
    await engine.chat.completions.create(seen(picture(blob())));
    await engine.chat.completions.create(seen(picture(dataUrl(PNG)), picture(blob())));
    expect([decoding.count, fakePictures.prepared.length]).toEqual([1, 1]);
    expect(lastContent()).toHaveLength(3);
  });

  it("is another one with another detail, or of other bytes or sides", async () => {
    const engine = await create();
    const same = Uint8ClampedArray.from({ length: 24 }, (_, i) => i);
    for (const one of [
      picture(blob()),
      picture(blob(), "high"),
      picture(blob(`${PNG} other`)),
      picture(new FakeImageData(same, 3, 2)),
      picture(new FakeImageData(same, 2, 3)),
    ]) {
      await engine.chat.completions.create(seen(one));
    }
    expect(fakePictures.prepared).toHaveLength(5);
  });

  it("is prepared again once the core has let it go", async () => {
    const engine = await create();
    await engine.chat.completions.create(seen(picture(blob())));
    fake.pictures.clear();
    await engine.chat.completions.create(seen(picture(blob())));
    expect(fakePictures.prepared).toHaveLength(2);
  });

  it("is known without crypto.subtle, in pages without HTTPS", async () => {
    const engine = await create();
    vi.stubGlobal("crypto", { getRandomValues: (array: Uint32Array) => array, randomUUID: () => "1" });
    for (let turn = 0; turn < 2; turn++) await engine.chat.completions.create(seen(picture(blob())));
    expect(fakePictures.prepared).toHaveLength(1);
  });
});

describe("the module", () => {
  it("is not asked for by texts", async () => {
    const engine = await create();
    await engine.chat.completions.create({ messages: [{ role: "user", content: [{ type: "text", text: "hi" }] }] });
    expect(fakePictures.starts).toBe(0);
  });

  it("that cannot be started says where it should be, and is asked for again", async () => {
    const engine = await create();
    fakePictures.isBroken = true;
    await expect(engine.chat.completions.create(seen(picture(blob())))).rejects.toMatchObject({
      code: "wasm_failed",
      hint: expect.stringContaining("pictures_bg.wasm") as string,
    });
    fakePictures.isBroken = false;
    await engine.chat.completions.create(seen(picture(blob())));
    expect(fakePictures.prepared).toHaveLength(1);
  });

  it("that traps is replaced, and the engine lives", async () => {
    const engine = await create();
    fakePictures.traps = true;
    await expect(engine.chat.completions.create(seen(picture(blob())))).rejects.toMatchObject({ code: "bad_picture" });
    fakePictures.traps = false;
    await engine.chat.completions.create(seen(picture(blob())));
    expect(fakePictures.resets).toBe(1);
  });
});

describe("an abort", () => {
  it("ends the fetch of a picture", async () => {
    const engine = await create();
    let signal: AbortSignal | null | undefined;
    vi.spyOn(globalThis, "fetch").mockImplementation((_, init) => {
      signal = init?.signal;
      return new Promise((_resolve, reject) => {
        signal?.addEventListener("abort", () => {
          reject(new DOMException("aborted", "AbortError"));
        });
      });
    });
    const controller = new AbortController();
    const asked = engine.chat.completions.create(seen(picture("https://x.test/a.png")), { signal: controller.signal });
    await vi.waitFor(() => {
      expect(signal).toBeDefined();
    });
    controller.abort();
    await expect(asked).rejects.toMatchObject({ code: "cancelled" });
    await vi.waitFor(() => {
      expect(signal?.aborted).toBe(true);
    });
  });
});

describe("pixels", () => {
  it("are read in bands, each where it belongs", async () => {
    const { width, height, rgba } = await pixelsOf(new FakeBitmap(1999, 2501));
    expect([width, height]).toEqual([1999, 2501]);
    expect(Buffer.compare(rgba, Buffer.from(rowsOf(1999, 0, 2501)))).toBe(0);
  });

  it.each([
    [8000, 5000, 8000, 5000],
    [16_000, 10_000, 8000, 5000],
    [40_000_001, 1, 40_000_000, 1],
    [1, 1, 1, 1],
  ])("of %d x %d are at most %d x %d", (width, height, wide, high) => {
    expect(bounded(width, height)).toEqual({ width: wide, height: high });
  });

  it("of huge files are scaled down while they are decoded, turned or not", async () => {
    const engine = await create();
    vi.stubGlobal("createImageBitmap", (_: Blob, options: ImageBitmapOptions) => {
      decoding.options = options;
      return Promise.resolve(new FakeBitmap(2, 2));
    });
    await engine.chat.completions.create(seen(picture(blob("FAKE:png:16000x10000"))));
    expect(decoding.options).toMatchObject({ resizeWidth: 8000, resizeQuality: "high" });
    expect(decoding.options).not.toHaveProperty("resizeHeight");
  });
});
