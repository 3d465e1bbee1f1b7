/** Tests of the files of speech models: where they are found, that they are kept, and that their sums are compared. */
import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { toSource } from "../src/audio/source.js";
import { findSpeechModel } from "../src/audio/worker/files.js";
import { Sha256 } from "../src/source/sha256.js";
import { hubAccess } from "../src/source/index.js";
import { fake } from "./audio-module.js";
import { create, GGML, sound, useFakeModule } from "./audio-support.js";
import { Opfs } from "./opfs.js";

useFakeModule();

const HUB = "https://hub.test";
const WEIGHTS = "ggml".padEnd(500, "w");
const TEXTS = ["config.json", "generation_config.json", "tokenizer.json"];
const sumOf = (bytes: string | Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Files of the server by their addresses. */
let files: Record<string, string>;
let fetched: string[];
/** Sum that the hub's listing has for weights. */
let sum: string;

function answer(url: string, method: string): Response {
  if (url.startsWith(`${HUB}/api/`)) {
    const siblings = Object.entries(files)
      .filter(([address]) => address.startsWith("whisper/"))
      .map(([address, text]) => ({
        rfilename: address.replace("whisper/", ""),
        size: text.length,
        lfs: text === WEIGHTS ? { sha256: sum, size: text.length } : null,
      }));
    return Response.json({ sha: "a".repeat(40), siblings });
  }
  const path = url.replace(/^https:\/\/[^/]+\//, "").replace(/^openai\/whisper\/resolve\/a+\//, "whisper/");
  const text = files[path];
  if (text === undefined) return new Response("", { status: 404 });
  if (method === "GET") fetched.push(path);
  return new Response(text, { headers: { "Content-Length": String(text.length), ETag: '"1"' } });
}

beforeEach(() => {
  new Opfs().install();
  [fetched, sum] = [[], sumOf(WEIGHTS)];
  files = { "whisper/model.safetensors": WEIGHTS, "models/ggml-tiny.en.bin": WEIGHTS };
  for (const name of TEXTS) files[`whisper/${name}`] = `{"name":"${name}"}`;
  vi.stubGlobal("fetch", (url: string, { method = "GET" }: RequestInit) => Promise.resolve(answer(url, method)));
});

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("a model", () => {
  it.each([
    ["a folder", "https://models.test/whisper/", undefined],
    ["its weights", "https://models.test/whisper/model.safetensors", undefined],
    ["a repository", "openai/whisper", HUB],
  ])("is read with its texts: %s", async (_, model, hub) => {
    const { model: info } = await create({ model, download: hub === undefined ? {} : { hub } });
    expect([info.name, info.bytes]).toEqual(["whisper", 500]);
    expect(Object.keys(fake.texts).sort()).toEqual(TEXTS);
    expect(fake.texts["config.json"]).toBe('{"name":"config.json"}');
  });

  it("of one ggml file has no texts, and is kept", async () => {
    const model = "https://models.test/models/ggml-tiny.en.bin";
    const { model: info, audio } = await create({ model, cache: "reload" });
    expect([info.name, fake.texts, fetched]).toEqual(["ggml-tiny.en", {}, ["models/ggml-tiny.en.bin"]]);
    // Not even after the module has trapped, with a cache that was to be written again.
    fake.trapAt = 0;
    await audio.transcriptions.create({ file: sound(1) }).catch(() => undefined);
    expect((await audio.transcriptions.create({ file: sound(1) })).text).toBe("w1");
    expect([fake.loads, fetched.length]).toEqual([2, 1]);
    await create({ model, cache: "no-store" });
    expect(fetched).toHaveLength(2);
  });

  it("is compared with the sum that the hub or the caller has for it", async () => {
    sum = sumOf("another file");
    const damaged = { code: "download_checksum" };
    await expect(create({ model: "openai/whisper", download: { hub: HUB } })).rejects.toMatchObject(damaged);
    const model = "https://models.test/models/ggml-tiny.en.bin";
    await expect(create({ model, download: { sha256: sum } })).rejects.toMatchObject(damaged);
    await create({ model, download: { sha256: sumOf(WEIGHTS) } });
  });

  it("that is no speech model of the hub is refused with advice about speech", async () => {
    files = { "whisper/ggml-base.bin": WEIGHTS };
    await expect(create({ model: "openai/whisper", download: { hub: HUB } })).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("its weights are GGML") as string,
      hint: expect.stringContaining("the address of one ggml .bin file") as string,
    });
  });

  it("in several files is refused", async () => {
    files["whisper/model.safetensors.index.json"] = JSON.stringify({
      weight_map: { a: "1.safetensors", b: "2.safetensors" },
    });
    await expect(create({ model: "https://models.test/whisper/" })).rejects.toMatchObject({
      code: "invalid_request",
      message: "model: its weights are in 2 files, and a speech model is read from one",
    });
  });
});

describe("files that were chosen", () => {
  const { signal } = new AbortController();
  const file = (name: string): File => new File([name], name);

  async function found(...names: string[]): Promise<{ texts: string[]; weights: string }> {
    const open = (): never => {
      throw new Error("nothing is fetched");
    };
    const spec = { kind: "files" as const, files: names.map(file) };
    const { texts, weights } = await findSpeechModel(spec, signal, {}, open, hubAccess(signal, {}));
    let bytes = "";
    for await (const chunk of weights.chunks()) bytes += new TextDecoder().decode(chunk);
    return { texts: [...texts.keys()].sort(), weights: bytes };
  }

  it("may be a folder in several formats", async () => {
    const all = [
      ...TEXTS,
      "pytorch_model.bin",
      "model.safetensors",
      "model.fp32-00001-of-00002.safetensors",
      "README.md",
    ];
    expect(await found(...all)).toEqual({ texts: TEXTS, weights: "model.safetensors" });
    expect((await found("config.json", "fine-tuned.safetensors")).weights).toBe("fine-tuned.safetensors");
  });

  it("may be a ggml file among others", async () => {
    expect(await found("config.json", "ggml-base.bin")).toEqual({ texts: [], weights: "ggml-base.bin" });
  });

  it("are refused if they are none or several", async () => {
    await expect(found("config.json")).rejects.toThrow(
      "there is no model among the files that were given: config.json",
    );
    await expect(found("a.bin", "b.bin")).rejects.toThrow("there are several models among the files");
  });
});

describe("the place of a model", () => {
  const hub = "https://huggingface.co";

  it.each([
    ["https://huggingface.co/ggerganov/whisper.cpp/blob/main/ggml-base.en.bin", "ggml-base.en"],
    ["https://huggingface.co/ggerganov/whisper.cpp/resolve/main/ggml-base.en.bin", "ggml-base.en"],
  ])("is an address for a ggml file on the hub: %s", async (model, name) => {
    const url = `${hub}/ggerganov/whisper.cpp/resolve/main/ggml-base.en.bin`;
    expect(await toSource(model, {})).toEqual({ source: { kind: "url", url }, name });
    const { source } = await toSource(model, { hub: "https://mirror.test/" });
    expect(source).toEqual({ kind: "url", url: url.replace(hub, "https://mirror.test") });
  });

  it("gives it its name", async () => {
    const handle = { getFile: () => Promise.resolve(GGML) } as unknown as FileSystemFileHandle;
    const sources = [
      "openai/whisper-tiny.en",
      new URL("https://models.test/speech/whisper-small/model.safetensors?key=1"),
      "https://models.test/speech/whisper%20base/",
      handle,
      [new File([], "config.json"), GGML],
      new Blob(),
    ];
    const named = await Promise.all(sources.map((source) => toSource(source, {})));
    const names = ["whisper-tiny.en", "whisper-small", "whisper base", "ggml-tiny", "ggml-tiny", "whisper"];
    expect(named.map(({ name }) => name)).toEqual(names);
  });
});

it("computes SHA-256 of pieces as Node does of the whole", () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 100_003]) {
    const bytes = randomBytes(length);
    const hash = new Sha256();
    for (let at = 0, size = 1; at < length; at += size, size = (size * 7) % 131)
      hash.update(bytes.subarray(at, at + size));
    expect(hash.finish(), String(length)).toBe(sumOf(bytes));
  }
});
