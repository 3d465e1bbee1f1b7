import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { toHearthError } from "../src/core/errors.js";
import type { SourceSpec } from "../src/core/protocol.js";
import { findModel, readHeaders, type ModelFiles } from "../src/source/model.js";

const NEVER = new AbortController().signal;
const WEIGHTS = "w".repeat(64);
const INDEX = JSON.stringify({ weight_map: { b: "m-00002-of-00002.safetensors", a: "m-00001-of-00002.safetensors" } });

let server: Server;
let base: string;
let files: Record<string, string>;
const asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    const body = files[path.split("?")[0] ?? ""];
    if (body === undefined) response.writeHead(404).end();
    else response.writeHead(200, { "Content-Length": body.length }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
});

afterAll(() => {
  server.close();
});

beforeEach(() => {
  asked.length = 0;
  files = { "/m/config.json": "{}", "/m/tokenizer.json": "[é]", "/m/model.safetensors": WEIGHTS };
});

const find = (source: SourceSpec): Promise<ModelFiles> => findModel(source, NEVER, { retries: 1 });
const at = (path: string): Promise<ModelFiles> => find({ kind: "url", url: base + path });

async function several(found: Promise<ModelFiles>): Promise<{ texts: string[]; lengths: number[] }> {
  const model = await found;
  if (model.kind !== "several") throw new Error("one file");
  const lengths: number[] = [];
  const texts: string[] = [];
  const header = (index: number, _: Uint8Array, length: number): boolean => {
    lengths[index] = length;
    return true;
  };
  const total = await readHeaders(model, { text: (name) => texts.push(name), header }, NEVER);
  expect(total).toBe(lengths.reduce((sum, length) => sum + length, 0));
  return { texts, lengths };
}

describe("findModel", () => {
  it("takes any other address for one file, and asks for nothing yet", async () => {
    expect(await at("/m/model.gguf?download=true")).toMatchObject({ kind: "one" });
    expect(asked).toEqual([]);
  });

  it("finds all parts of a split file, with the rest of the address as it was", async () => {
    for (const i of [1, 2, 3]) files[`/a%20b/m-0000${String(i)}-of-00003.gguf`] = "x".repeat(i);
    expect(await several(at("/a%20b/m-00001-of-00003.gguf?token=1"))).toEqual({ texts: [], lengths: [1, 2, 3] });
    expect(asked[2]).toBe("/a%20b/m-00003-of-00003.gguf?token=1");
  });

  it("reads the texts of a folder, of which two are needed", async () => {
    for (const path of ["/m/", "/m/model.safetensors"]) {
      const { texts, lengths } = await several(at(path));
      expect(texts).toEqual(["config.json", "tokenizer.json"]);
      expect(lengths).toEqual([64]);
    }
    delete files["/m/tokenizer.json"];
    await expect(at("/m/")).rejects.toMatchObject({ code: "download_http", status: 404 });
  });

  it("reads the index where there is one", async () => {
    files["/m/model.safetensors.index.json"] = INDEX;
    files["/m/m-00001-of-00002.safetensors"] = "1";
    files["/m/m-00002-of-00002.safetensors"] = "22";
    for (const path of ["/m/", "/m/model.safetensors.index.json", "/m/m-00001-of-00002.safetensors"]) {
      expect((await several(at(path))).lengths).toEqual([1, 2]);
    }
  });

  it("reads the modules behind an embedding model's pooling, each with its weights", async () => {
    const module = (path: string): object => ({ path, type: `sentence_transformers.models.${path}` });
    const modules = ["", "1_Pooling", "2_Dense", "3_Dense", "4_Normalize"].map(module);
    files["/m/modules.json"] = JSON.stringify(modules);
    for (const [i, folder] of ["2_Dense", "3_Dense"].entries()) {
      files[`/m/${folder}/config.json`] = "{}";
      files[`/m/${folder}/model.safetensors`] = "x".repeat(i + 1);
    }
    const { texts, lengths } = await several(at("/m/"));
    expect(texts.slice(2)).toEqual(["modules.json", "2_Dense/config.json", "3_Dense/config.json"]);
    expect(lengths).toEqual([64, 1, 2]);
    delete files["/m/3_Dense/model.safetensors"];
    await expect(several(at("/m/"))).rejects.toMatchObject({ code: "download_http", status: 404 });
    files["/m/modules.json"] = "{";
    expect((await several(at("/m/"))).lengths).toEqual([64]);
  });

  it("reads which tokens' logits a model that ranks documents is scored by", async () => {
    const module = { path: "1_LogitScore", type: "sentence_transformers.cross_encoder.modules.logit_score.LogitScore" };
    files["/m/modules.json"] = JSON.stringify([module]);
    files["/m/1_LogitScore/config.json"] = "{}";
    const { texts, lengths } = await several(at("/m/"));
    expect(texts.slice(2)).toEqual(["modules.json", "1_LogitScore/config.json"]);
    expect(lengths).toEqual([64]);
  });

  it("reads how pictures are prepared where the model has a tower for them", async () => {
    files["/m/preprocessor_config.json"] = "{}";
    expect((await several(at("/m/"))).texts).not.toContain("preprocessor_config.json");
    files["/m/config.json"] = JSON.stringify({ vision_config: {} });
    expect((await several(at("/m/"))).texts).toEqual(["config.json", "tokenizer.json", "preprocessor_config.json"]);
  });

  it("refuses an index that is damaged or leads elsewhere", async () => {
    for (const text of ["{", '{"weight_map":{"a":1}}', '{"weight_map":{"a":"../x"}}']) {
      files["/m/model.safetensors.index.json"] = text;
      await expect(at("/m/")).rejects.toMatchObject({ code: "bad_file" });
    }
  });

  it("takes files that were chosen together for a model", async () => {
    const file = (name: string, text: string): File => new File([text], name);
    const texts = [file("tokenizer.json", "{}"), file("config.json", "{}"), file("README.md", "")];
    const shards = [file("m-2.safetensors", "22"), file("m-1.safetensors", "1")];
    const found = await several(find({ kind: "files", files: [...shards, ...texts] }));
    expect(found).toEqual({ texts: ["config.json", "tokenizer.json"], lengths: [1, 2] });
    expect(await find({ kind: "files", files: [file("a.gguf", "GGUF"), ...texts] })).toMatchObject({ kind: "one" });
    const none = await find({ kind: "files", files: [] }).catch((error: unknown) => toHearthError(error).code);
    expect(none).toBe("invalid_request");
  });

  it.each([
    [["mmproj-F16.gguf", "m-Q4_K_M.gguf", "imatrix.dat", "mtp-m-Q8_0.gguf"], "m-Q4_K_M.gguf"],
    [["imatrix_unsloth.gguf", "X-imatrix-Q4_K_M.gguf"], "X-imatrix-Q4_K_M.gguf"],
    [["m.safetensors.bak", "README.md", "m-draft-Q4_0.gguf"], "m-draft-Q4_0.gguf"],
  ])("finds the one model among dropped files: %j", async (names, expected) => {
    const model = await find({ kind: "files", files: names.map((name) => new File([name], name)) });
    if (model.kind !== "one") throw new Error("several files");
    let text = "";
    for await (const chunk of model.open().chunks()) text += new TextDecoder().decode(chunk);
    expect(text).toBe(expected);
  });

  it.each([
    [["a-Q4_0.gguf", "b-Q4_0.gguf"], "several models"],
    [["m-00001-of-00003.gguf", "m-00003-of-00003.gguf"], "missing: 2"],
    [["imatrix.dat", "m.imatrix"], "no model among the files that were given: imatrix.dat, m.imatrix"],
    [["mmproj-F16.gguf", "imatrix.dat"], "mmproj-F16.gguf is the part of a model that sees or hears, and no model"],
  ])("says what is wrong with dropped files: %j", async (names, message) => {
    const found = find({ kind: "files", files: names.map((name) => new File([name], name)) });
    await expect(found).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining(message) as string,
      hint: expect.stringMatching(/./) as string,
    });
  });
});
