/** Tests of pasted names, of the Hub's listings, and of the choice of a file. */
import { describe, expect, it } from "vitest";
import { HearthError } from "../src/core/errors.js";
import { resolveHubId, type HubAccess } from "../src/source/hub.js";
import { quantOf, rankOf, roleOf } from "../src/source/names.js";
import { parseHubId } from "../src/source/paste.js";

const SHA = "0a1b2c3d4e".repeat(4);

describe("parseHubId", () => {
  const id = { repository: "a/b", revision: "main" };
  it.each([
    ["Qwen/Qwen3-0.6B-GGUF", { repository: "Qwen/Qwen3-0.6B-GGUF", revision: "main" }],
    ["a/b:Q4_K_M", { ...id, quant: "Q4_K_M" }],
    ["a/b.c:Q8_0@v1", { repository: "a/b.c", quant: "Q8_0", revision: "v1" }],
    ["a/b@refs/pr/1", { ...id, revision: "refs/pr/1" }],
    [" a/b\n", id],
    ["https://huggingface.co/a/b", id],
    ["https://huggingface.co/a/b/", id],
    ["http://www.huggingface.co/a/b", id],
    [" https://hf.co/a/b#usage ", id],
    ["HTTPS://HuggingFace.co/a/b?library=transformers", id],
    ["huggingface.co/a/b", id],
    ["hf.co/a/b:Q4_K_M", { ...id, quant: "Q4_K_M" }],
    ["hf.co/a/b:latest", id],
    ["https://hf.co/a/b:Q4_K_M@v1", { ...id, quant: "Q4_K_M", revision: "v1" }],
    ["https://huggingface.co/a/b/tree/main", id],
    ["https://huggingface.co/a/b/tree/main/", id],
    ["https://huggingface.co/a/b/tree/v1/BF16", { ...id, revision: "v1", path: "BF16/" }],
    ["https://huggingface.co/a/b/tree/main/x%20y/z/", { ...id, path: "x y/z/" }],
    ["https://huggingface.co/a/b/tree/refs%2Fpr%2F1", { ...id, revision: "refs/pr/1" }],
    ["https://huggingface.co/a/b/tree/refs/pr/1/sub", { ...id, revision: "refs/pr/1", path: "sub/" }],
    ["https://huggingface.co/a/b/blob/main/m-Q8_0.gguf", { ...id, path: "m-Q8_0.gguf" }],
    ["https://huggingface.co/a/b/resolve/main/d/m.gguf?download=true", { ...id, path: "d/m.gguf" }],
    ["https://huggingface.co/a/b/raw/v1/config.json", { ...id, revision: "v1", path: "config.json" }],
    [`https://huggingface.co/a/b/commit/${SHA}`, { ...id, revision: SHA }],
    ["https://huggingface.co/a/b/commits/main/x.gguf", id],
    ["https://huggingface.co/a/b/discussions/3", id],
    ["https://huggingface.co/a/b?show_file_info=m-Q8_0.gguf", { ...id, path: "m-Q8_0.gguf" }],
    ["https://huggingface.co/a/b/tree/main?show_file_info=d%2Fm.gguf", { ...id, path: "d/m.gguf" }],
    ["https://huggingface.co/gpt2", { repository: "gpt2", revision: "main" }],
    ["https://huggingface.co/gpt2/tree/v1", { repository: "gpt2", revision: "v1" }],
  ])("reads %j", (text, expected) => {
    expect(parseHubId(text)).toEqual(expected);
  });

  it.each([
    "https://example.org/a.gguf",
    "https://example.org/huggingface.co/a/b",
    "models/a.gguf",
    "/models/a",
    "./models/a",
    "models/a/",
    "a/b/c",
    "model.gguf",
    "a/model.safetensors",
    "",
  ])("takes %j for an address", (text) => {
    expect(parseHubId(text)).toBeUndefined();
  });

  it.each(["https://huggingface.co/", "https://huggingface.co/datasets/a/b", "hf.co/spaces/a/b"])(
    "says of %s that it is no model's page",
    (text) => {
      expect(() => parseHubId(text)).toThrow(expect.objectContaining({ code: "invalid_request" }) as Error);
    },
  );
});

describe("names", () => {
  it.each([
    ["K-7B-Q4_K_M-imat.gguf", "Q4_K_M", true],
    ["X-imatrix-Q4_K_M.gguf", "Q4_K_M", true],
    ["m.i1-IQ4_XS.gguf", "IQ4_XS", true],
    ["UD-Q4_K_XL/m-UD-Q4_K_XL-00001-of-00002.gguf", "UD-Q4_K_XL", true],
    ["Q4_K_M/m-00001-of-00002.gguf", "Q4_K_M", true],
    ["qwen2.5-0.5b-instruct-fp16.gguf", "F16", true],
    ["gpt-oss-20b-mxfp4.gguf", "MXFP4", true],
    ["m-MXFP4_MOE.gguf", "MXFP4_MOE", true],
    ["m-f16-q4_0.gguf", "Q4_0", true],
    ["m-Q4_K_M-v2.gguf", "Q4_K_M", true],
    ["m-UD-Q8_K_XL.gguf", "UD-Q8_K_XL", true],
    ["m-Q3_K_L.gguf", "Q3_K_L", true],
    ["m-Q6_K_L.gguf", "Q6_K_L", true],
    ["m-Q4_0_4_4.gguf", "Q4_0_4_4", false],
    ["m-UD-IQ2_XXS.gguf", "UD-IQ2_XXS", true],
    ["m.i1-IQ3_M.gguf", "IQ3_M", true],
    ["m-TQ1_0.gguf", "TQ1_0", true],
    ["Bonsai-1.7B-Q1_0.gguf", "Q1_0", true],
    ["Ternary-Bonsai-1.7B-Q2_0.gguf", "Q2_0", true],
    ["m-UD-IQ1_S.gguf", "UD-IQ1_S", true],
    ["m-IQ1_M.gguf", "IQ1_M", true],
    ["m-NVFP4.gguf", "NVFP4", true],
    ["QwQ-32B.gguf", undefined, true],
  ])("of %s the quantisation is %s, read: %s", (path, quant, isRead) => {
    expect(quantOf(path)).toBe(quant);
    expect(rankOf(quant) !== undefined).toBe(isRead);
  });

  it.each([
    ["mmproj-F16.gguf", "projector"],
    ["m.mmproj-Q8_0.gguf", "projector"],
    ["mmproj/m-Q8_0.gguf", "projector"],
    ["imatrix.dat", "importance"],
    ["imatrix_unsloth.gguf", "importance"],
    ["m.imatrix.gguf", "importance"],
    ["mtp-m-Q8_0.gguf", "draft"],
    ["MTP/m-Q8_0.gguf", "draft"],
    ["m-EAGLE3-F16.gguf", "draft"],
    ["m-draft-0.6B-Q4_0.gguf", "draft"],
    ["m-lora-f16.gguf", "adapter"],
    ["imatrix/m-Q4_K_M.gguf", "model"],
    ["m-Q4_K_M-imat.gguf", "model"],
  ])("%s is a %s", (path, role) => {
    expect(roleOf(path)).toBe(role);
  });
});

const SUM = "0123456789abcdef".repeat(4);
type Shape = "tree" | "model";

/** Returns a local double of the Hub's API, in either shape. */
function hub(shape: Shape, paths: readonly string[], more: object = {}): { access: HubAccess; asked: string[] } {
  const asked: string[] = [];
  const isLarge = (path: string): boolean => /\.(gguf|safetensors)$/.test(path);
  const size = (path: string): number =>
    path.includes("Q8_0") ? 8 : path.includes("F16") ? 16 : path.includes("Q2_K") ? 2 : 4;
  const tree = [
    { type: "directory", path: "sub" },
    ...paths.map((path) => ({
      type: "file",
      path,
      oid: "b10b",
      size: size(path),
      ...(isLarge(path) ? { lfs: { oid: SUM, size: size(path) } } : {}),
    })),
  ];
  const siblings = paths.map((path) => ({
    rfilename: path,
    blobId: "b10b",
    size: size(path),
    lfs: isLarge(path) ? { sha256: SUM, size: size(path), pointerSize: 1 } : null,
  }));
  const read = (url: string): Promise<string> => {
    asked.push(url);
    if (url.includes("/tree/")) return Promise.resolve(JSON.stringify(tree));
    if (shape === "model") return Promise.resolve(JSON.stringify({ sha: SHA, siblings, ...more }));
    return Promise.reject(new HearthError("download_http", "the server answered 404", { status: 404 }));
  };
  return { access: { read }, asked };
}

async function resolve(text: string, paths: readonly string[], shape: Shape = "model", more = {}, room?: number) {
  const id = parseHubId(text);
  if (id === undefined) throw new Error(`${text} is no id`);
  const { access, asked } = hub(shape, paths, more);
  const { url, file } = await resolveHubId(id, "https://hub.test/", access, room);
  const path = url.replace(/^https:\/\/hub\.test\/[^/]+\/[^/]+\/resolve\//, "");
  return { path, file: file(url), asked };
}

describe.each<Shape>(["tree", "model"])("resolveHubId, listing as %s", (shape) => {
  const FILES = [
    "README.md",
    "m-F16.gguf",
    "m-Q4_K_M.gguf",
    "m-Q8_0.gguf",
    "m-IQ4_XS.gguf",
    "mmproj-Q4_K_M.gguf",
    "imatrix.dat",
    "big/m-Q6_K-00001-of-00002.gguf",
    "big/m-Q6_K-00002-of-00002.gguf",
  ];
  const PAGE = "https://huggingface.co/a/b";
  it.each([
    ["a/b", FILES, "main/m-Q4_K_M.gguf"],
    [PAGE, FILES, "main/m-Q4_K_M.gguf"],
    [`${PAGE}/blob/main/README.md`, FILES, "main/m-Q4_K_M.gguf"],
    [`${PAGE}/blob/main/m-Q8_0.gguf`, FILES, "main/m-Q8_0.gguf"],
    [`${PAGE}?show_file_info=big%2Fm-Q6_K-00002-of-00002.gguf`, FILES, "main/big/m-Q6_K-00001-of-00002.gguf"],
    [`${PAGE}/tree/main/big`, FILES, "main/big/m-Q6_K-00001-of-00002.gguf"],
    ["a/b:q8_0", FILES, "main/m-Q8_0.gguf"],
    ["a/b:Q6_K@v1", FILES, "v1/big/m-Q6_K-00001-of-00002.gguf"],
    ["a/b", ["m-Q8_0.gguf", "m-F16.gguf"], "main/m-Q8_0.gguf"],
    ["a/b", ["odd name.gguf"], "main/odd%20name.gguf"],
    ["a/b", ["m-IQ2_M.gguf", "m-TQ1_0.gguf", "m-Q8_0.gguf"], "main/m-Q8_0.gguf"],
    ["a/b", ["m.gguf", "m-UD-IQ1_S.gguf", "m-UD-Q4_K_XL.gguf"], "main/m-UD-Q4_K_XL.gguf"],
    ["a/b", ["mtp-m-Q4_K_M.gguf", "m-Q8_0.gguf"], "main/m-Q8_0.gguf"],
    ["a/b", ["m-draft-Q4_0.gguf"], "main/m-draft-Q4_0.gguf"],
    ["a/b", ["static/X-Q8_0.gguf", "imatrix/X-Q4_K_M.gguf"], "main/imatrix/X-Q4_K_M.gguf"],
    [
      "a/K:Q4_K_M",
      ["K-7B-IQ3_M-imat.gguf", "K-7B-Q4_K_M-imat.gguf", "K-7B-Q8_0-imat.gguf"],
      "main/K-7B-Q4_K_M-imat.gguf",
    ],
    ["a/X-GGUF", ["X-imatrix-Q4_K_M.gguf", "X-imatrix-Q8_0.gguf"], "main/X-imatrix-Q4_K_M.gguf"],
    ["a/b", ["config.json", "model.safetensors"], "main/"],
    [`${PAGE}/tree/main/sub`, ["config.json", "sub/config.json", "sub/model.safetensors"], "main/sub/"],
  ])("of %s it takes the right file: %j", async (text, paths, expected) => {
    const { path, file } = await resolve(text, paths, shape);
    expect(path).toBe(expected);
    if (!path.endsWith("gguf")) return;
    // Large files come with their sums; if the commit is known, addresses point to it.
    expect(file).toMatchObject({ sum: SUM, version: SUM, key: expect.stringContaining(path) as string });
    const revision = shape === "model" ? SHA : path.split("/")[0];
    expect(file?.url).toMatch(`/resolve/${revision ?? ""}/${path.split("/").slice(1).join("/")}`);
  });

  it("takes what has room, and the smallest where nothing has", async () => {
    const paths = ["m-Q8_0.gguf", "m-Q2_K.gguf", "m-Q4_K_M-00001-of-00002.gguf", "m-Q4_K_M-00002-of-00002.gguf"];
    const of = async (room: number): Promise<string> => (await resolve("a/b", paths, shape, {}, room)).path;
    expect(await of(8)).toBe("main/m-Q4_K_M-00001-of-00002.gguf");
    expect(await of(7)).toBe("main/m-Q2_K.gguf");
    expect(await of(1)).toBe("main/m-Q2_K.gguf");
  });

  it.each([
    ["a/b:Q2_K", FILES, "invalid_request", "no Q2_K file", "It has F16, IQ4_XS, Q4_K_M, Q6_K, Q8_0."],
    ["a/b", ["README.md"], "invalid_request", "no GGUF or safetensors", "b-GGUF"],
    ["a/b", ["m-Q1_K.gguf", "m-IQ2_K.gguf"], "unsupported_quant", "only IQ2_K, Q1_K", "b-GGUF"],
    ["a/b", ["mmproj-F16.gguf", "imatrix.gguf"], "invalid_request", "no GGUF", "mmproj-F16.gguf"],
    [`${PAGE}/blob/main/mmproj-Q4_K_M.gguf`, FILES, "invalid_request", "no model", "a/b"],
    [`${PAGE}/blob/main/m-Q5_0.gguf`, FILES, "invalid_request", "no file m-Q5_0.gguf", "Q4_K_M"],
    ["a/Qwen3-ONNX", ["config.json", "onnx/model_q4.onnx"], "invalid_request", "ONNX", "Qwen3-GGUF"],
    ["a/L-7B-GPTQ", ["config.json", "model.safetensors"], "invalid_request", "GPTQ", "L-7B-GGUF"],
    ["a/L-7B-AWQ-4bit", ["config.json", "model.safetensors"], "invalid_request", "AWQ", "L-7B-GGUF"],
    ["mlx-community/L-4bit", ["config.json", "model.safetensors"], "invalid_request", "MLX", "L-GGUF"],
    ["a/L-GGML", ["llama.ggmlv3.q4_0.bin"], "invalid_request", "GGML", "L-GGUF"],
    ["a/L", ["pytorch_model.bin"], "invalid_request", "PyTorch", "L-GGUF"],
  ])("of %s it says what it is", async (text, paths, code, message, hint) => {
    await expect(resolve(text, paths, shape)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
      hint: expect.stringContaining(hint) as string,
    });
  });
});

describe("the hub", () => {
  it("is asked for the commit, and what it tags tells how weights are stored", async () => {
    const { asked } = await resolve("a/b", ["m-Q4_0.gguf"]);
    expect(asked).toEqual(["https://hub.test/api/models/a/b/revision/main?blobs=true"]);
    const config = { quantization_config: { quant_method: "gptq" } };
    for (const more of [{ tags: ["mlx", "4-bit"] }, { library_name: "mlx" }, { config }]) {
      await expect(resolve("a/b", ["model.safetensors"], "model", more)).rejects.toMatchObject({
        hint: expect.stringContaining("b-GGUF") as string,
      });
    }
    expect((await resolve("mlx-community/b-bf16", ["model.safetensors"])).path).toBe("main/");
  });

  it.each([401, 404])("that knows no such repository says so with %d", async (status) => {
    const read = (): Promise<string> => Promise.reject(new HearthError("download_http", "no", { status }));
    await expect(resolveHubId({ repository: "a/b", revision: "v1" }, undefined, { read })).rejects.toMatchObject({
      code: "download_http",
      status,
      message: expect.stringContaining("a/b at v1") as string,
    });
  });
});
