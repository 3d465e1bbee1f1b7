/** The projector of a model: found beside it, given, refused, missing, or one that cannot be used. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { canRun, inspectModel, type EngineOptions, type Notice } from "../src/index.js";
import { nameOf } from "../src/shared/key.js";
import type { SourceSpec } from "../src/core/protocol.js";
import { findModel } from "../src/source/model.js";
import { bestProjector, projectorBeside } from "../src/source/projector.js";
import { create, useFakeCore } from "./engine-support.js";
import { Opfs } from "./opfs.js";

useFakeCore();

type Mmproj = NonNullable<EngineOptions["mmproj"]>;

const HUB = "https://hub.test";
let files: Record<string, string>;
let isOnline: boolean;
/** Paths that were fetched, header by header and whole. */
let fetched: string[];

const model = (bytes: number): string => "GGUF".padEnd(bytes, "x");
const unknown = "GGUF projector=unknown".padEnd(64, "x");

function answer(url: string): Response {
  if (url.includes("/api/")) {
    const siblings = Object.entries(files).map(([rfilename, { length: size }]) => ({ rfilename, size, blobId: "b" }));
    return new Response(JSON.stringify({ siblings }));
  }
  const path = decodeURIComponent(new URL(url).pathname).replace(/^.*\/resolve\/main\/|^\//, "");
  const text = files[path];
  if (text === undefined) return new Response("", { status: 404 });
  fetched.push(path);
  return new Response(text, { headers: { "Content-Length": String(text.length) } });
}

beforeEach(() => {
  isOnline = true;
  fetched = [];
  files = { "m-Q4_K_M.gguf": model(100), "m-Q8_0.gguf": model(200), "mmproj-m-Q8_0.gguf": model(30) };
  files["mmproj-m-F16.gguf"] = model(40);
  vi.stubGlobal("fetch", (url: string) =>
    isOnline ? Promise.resolve(answer(url)) : Promise.reject(new TypeError("Failed to fetch")),
  );
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const file = (name: string, bytes = 100): File => new File([model(bytes)], name);

/** Returns the bytes that the core took of all files, and what was noticed. */
async function load(options: Partial<EngineOptions>): Promise<{ bytes: number; notices: Notice[] }> {
  const notices: Notice[] = [];
  const engine = await create({
    model: "o/n",
    cache: "no-store",
    download: { hub: HUB, retries: 1 },
    onNotice: (notice) => notices.push(notice),
    ...options,
  });
  return { bytes: engine.model.weight_bytes, notices };
}

describe("beside a model", () => {
  it.each([
    ["m.gguf", ["mmproj-F32.gguf", "mmproj-Q8_0.gguf", "mmproj-BF16.gguf", "mmproj-F16.gguf"], "mmproj-F16.gguf"],
    ["m.gguf", ["mmproj-F32.gguf", "mmproj-Q8_0.gguf", "mmproj-BF16.gguf"], "mmproj-BF16.gguf"],
    ["m.gguf", ["mmproj-F32.gguf", "mmproj-Q8_0.gguf", "mmproj-Q4_0.gguf"], "mmproj-Q8_0.gguf"],
    ["m.gguf", ["mmproj-F32.gguf", "mmproj-Q4_0.gguf", "mmproj.gguf"], "mmproj-F32.gguf"],
    ["m.gguf", ["m.mmproj-f16.gguf", "imatrix.gguf"], "m.mmproj-f16.gguf"],
    ["big/m.gguf", ["mmproj-F16.gguf", "big/mmproj-Q8_0.gguf", "small/mmproj-F16.gguf"], "big/mmproj-Q8_0.gguf"],
    ["Q4_K_M/m.gguf", ["mmproj-F16.gguf", "Q8_0/mmproj-F16.gguf"], "mmproj-F16.gguf"],
    ["m.gguf", ["mmproj/m-F16.gguf"], "mmproj/m-F16.gguf"],
    ["m.gguf", ["other/mmproj-F16.gguf"], undefined],
    ["m.gguf", ["mmproj-F16.safetensors", "mmproj.json"], undefined],
    ["m.gguf", [], undefined],
  ])("%s it is of %j", (path, paths, expected) => {
    expect(projectorBeside(path, [path, ...paths])).toBe(expected);
  });

  it("is the same for any order of the files", () => {
    const paths = ["mmproj-b-F16.gguf", "mmproj-a-F16.gguf"];
    expect(bestProjector(paths, String)).toBe(bestProjector([...paths].reverse(), String));
  });
});

describe("of a repository", () => {
  it("is found by itself, F16 first, and loaded after the model", async () => {
    expect(await load({})).toEqual({ bytes: 140, notices: [] });
    expect(fetched.at(-1)).toBe("mmproj-m-F16.gguf");
    expect(await load({ model: "o/n:Q8_0" })).toMatchObject({ bytes: 240 });
  });

  it.each<[string, Mmproj, number]>([
    ["refused", false, 100],
    ["named as a file beside the model", "mmproj-m-Q8_0.gguf", 130],
    ["named by its page", "https://huggingface.co/o/n/blob/main/mmproj-m-Q8_0.gguf", 130],
    ["of a repository", "o/n", 140],
    ["of a storage type", "o/n:Q8_0", 130],
    ["an address", "https://cdn.test/mmproj-m-Q8_0.gguf", 130],
    ["a Blob", new Blob([model(7)]), 107],
  ])("can be %s", async (_, mmproj, bytes) => {
    expect(await load({ mmproj })).toEqual({ bytes, notices: [] });
  });

  it.each<[Mmproj, string]>([
    ["mmproj-m-F32.gguf", "has no file mmproj-m-F32.gguf"],
    ["o/n:Q6_K", "has no projector (mmproj) of type Q6_K"],
    ["https://cdn.test/gone.gguf", "404"],
  ])("that is not there is an error that names it: %s", async (mmproj, message) => {
    await expect(load({ mmproj })).rejects.toThrow(message);
  });

  it("that cannot be used is left out with a notice, but one that was asked for is an error", async () => {
    files["mmproj-m-F16.gguf"] = unknown;
    const { bytes, notices } = await load({});
    expect(bytes).toBe(100);
    expect(notices).toMatchObject([{ code: "no_pictures" }]);
    expect(notices[0]?.message).toContain("mmproj-m-F16.gguf");
    expect(notices[0]?.message).toContain('unknown projector "unknown"');
    await expect(load({ mmproj: "mmproj-m-F16.gguf" })).rejects.toMatchObject({ code: "unsupported_architecture" });
    const split = { "m-00001-of-00002.gguf": model(50), "m-00002-of-00002.gguf": model(60) };
    files = { ...split, "mmproj-F16.gguf": unknown };
    expect((await load({})).bytes).toBe(110);
  });

  it("that was never kept does not keep the model from starting without a network", async () => {
    new Opfs().install();
    await load({ cache: "default", mmproj: false });
    isOnline = false;
    const { bytes, notices } = await load({ cache: "default" });
    expect([bytes, notices.map(({ code }) => code)]).toEqual([100, ["no_pictures"]]);
  });

  it("does not have the model's own faults blamed on it", async () => {
    delete files["m-Q4_K_M.gguf"];
    delete files["m-Q8_0.gguf"];
    files["m.gguf"] = "<html>";
    await expect(load({})).rejects.toMatchObject({ code: "bad_file" });
  });
});

describe("of files that were given together", () => {
  // Node's structured clone makes nameless Blobs of Files, so that these do not go through the worker's double.
  const find = (source: SourceSpec, mmproj?: false) =>
    findModel(source, new AbortController().signal, {}, undefined, undefined, mmproj);

  it("belongs to the model", async () => {
    const given = [file("mmproj-F16.gguf", 40), file("mmproj-Q8_0.gguf", 30), file("m-Q4_0.gguf")];
    const found = await find({ kind: "files", files: given });
    expect(found).toMatchObject({ kind: "one", projector: { name: "mmproj-F16.gguf", isAsked: true } });
    expect(found.projector?.open().total).toBe(40);
    expect((await find({ kind: "files", files: given }, false)).projector).toBeUndefined();
    const split = [file("m-00002-of-00002.gguf", 60), file("mmproj-F16.gguf", 40), file("m-00001-of-00002.gguf", 50)];
    expect(await find({ kind: "files", files: split })).toMatchObject({ kind: "several", projector: {} });
    const folder = [file("model.safetensors"), file("mmproj-F16.gguf"), new File(["{}"], "preprocessor_config.json")];
    const other = await find({ kind: "files", files: folder });
    expect(other.projector).toBeUndefined();
    expect(other.kind === "several" && [...other.texts.keys()]).toEqual(["preprocessor_config.json"]);
  });

  it("may be given apart", async () => {
    expect((await load({ model: file("m.gguf"), mmproj: file("x.gguf", 5) })).bytes).toBe(105);
    const handle = { getFile: () => Promise.resolve(file("x.gguf", 6)) } as FileSystemFileHandle;
    expect((await load({ model: file("m.gguf"), mmproj: handle })).bytes).toBe(106);
  });

  it.each<[string, SourceSpec]>([
    ["a file", { kind: "blob", blob: file("mmproj-F16.gguf") }],
    ["files", { kind: "files", files: [file("mmproj-F16.gguf"), new File([""], "imatrix.dat")] }],
    ["an address", { kind: "url", url: "https://cdn.test/mmproj-F16.gguf?download=true" }],
  ])("alone is no model, and is named: %s", async (_, alone) => {
    await expect(find(alone)).rejects.toMatchObject({
      code: "invalid_request",
      message: "mmproj-F16.gguf is the part of a model that sees or hears, and no model",
    });
  });

  it("does not go with a stream, which cannot be read twice", async () => {
    const stream = new Blob([model(100)]).stream();
    await expect(load({ model: stream, mmproj: file("x.gguf") })).rejects.toThrow("mmproj must be absent");
  });
});

describe("its bytes", () => {
  it("are in reports and in canRun", async () => {
    const options = { model: "o/n", download: { hub: HUB, retries: 1 } };
    // The fake core reports the number of files.
    const filesOf = async (mmproj?: Mmproj): Promise<number> =>
      (await inspectModel({ ...options, ...(mmproj !== undefined && { mmproj }) })).parameters;
    expect(await filesOf("mmproj-m-Q8_0.gguf")).toBe(2);
    expect((await canRun({ ...options, mmproj: "mmproj-m-Q8_0.gguf", probe: false })).report.parameters).toBe(2);
  });
});

it("is part of the name by which tabs share a model", async () => {
  const name = (mmproj?: Mmproj): Promise<string | undefined> =>
    nameOf({ model: "o/n", ...(mmproj !== undefined && { mmproj }) });
  const names = [await name(), await name(false), await name("a/b"), await name("a/c")];
  expect(new Set(names).size).toBe(4);
  expect(await name(new Blob(["x"]))).toBeUndefined();
});
