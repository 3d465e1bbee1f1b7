import { describe, expect, it } from "vitest";
import { parseHubId, resolveHubId } from "../src/source/hub.js";

describe("parseHubId", () => {
  it.each([
    ["Qwen/Qwen3-0.6B-GGUF", { repository: "Qwen/Qwen3-0.6B-GGUF", revision: "main" }],
    ["a/b:Q4_K_M", { repository: "a/b", quant: "Q4_K_M", revision: "main" }],
    ["a/b.c:Q8_0@v1", { repository: "a/b.c", quant: "Q8_0", revision: "v1" }],
    ["a/b@refs/pr/1", { repository: "a/b", revision: "refs/pr/1" }],
  ])("reads %s", (text, id) => {
    expect(parseHubId(text)).toEqual(id);
  });

  it.each([
    "https://example.org/a.gguf",
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
});

const SUM = "0123456789abcdef".repeat(4);

describe("resolveHubId", () => {
  const resolve = async (id: string, paths: string[]): Promise<string> => {
    const parsed = parseHubId(id);
    if (parsed === undefined) throw new Error(`${id} is no id`);
    const asked: string[] = [];
    const { url, sums } = await resolveHubId(parsed, "https://hub.test/", (url) => {
      asked.push(url);
      return Promise.resolve(
        JSON.stringify([
          { type: "directory", path: "sub" },
          ...paths.map((path) => ({ type: "file", path, lfs: path.endsWith("gguf") ? { oid: SUM } : null })),
        ]),
      );
    });
    expect(asked).toEqual([
      `https://hub.test/api/models/${parsed.repository}/tree/${encodeURIComponent(parsed.revision)}?recursive=true`,
    ]);
    // Large files come with their sums, by their addresses.
    expect(sums.get(url)).toBe(url.endsWith(".gguf") ? SUM : undefined);
    return url.replace(`https://hub.test/${parsed.repository}/resolve/`, "");
  };
  const FILES = [
    "README.md",
    "m-F16.gguf",
    "m-Q4_K_M.gguf",
    "m-Q8_0.gguf",
    "m-IQ4_XS.gguf",
    "mmproj-Q4_K_M.gguf",
    "big/m-Q6_K-00001-of-00002.gguf",
    "big/m-Q6_K-00002-of-00002.gguf",
  ];

  it("chooses a quantisation that is small and good, or the one that was asked for", async () => {
    expect(await resolve("a/b", FILES)).toBe("main/m-Q4_K_M.gguf");
    expect(await resolve("a/b:q8_0", FILES)).toBe("main/m-Q8_0.gguf");
    expect(await resolve("a/b:Q6_K@v 1".replace(" ", ""), FILES)).toBe("v1/big/m-Q6_K-00001-of-00002.gguf");
    expect(await resolve("a/b", ["m-Q8_0.gguf", "m-F16.gguf"])).toBe("main/m-Q8_0.gguf");
    expect(await resolve("a/b", ["odd name.gguf"])).toBe("main/odd%20name.gguf");
  });

  it("takes safetensors where there is no GGUF", async () => {
    expect(await resolve("a/b", ["config.json", "model.safetensors"])).toBe("main/");
  });

  it("says what there is when it is not what was asked for", async () => {
    const error = await resolve("a/b:Q2_K", FILES).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "invalid_request", hint: "It has F16, IQ4_XS, Q4_K_M, Q6_K, Q8_0." });
    await expect(resolve("a/b", ["README.md"])).rejects.toMatchObject({ code: "invalid_request" });
  });
});
