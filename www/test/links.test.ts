/** The actions that a link may trigger on the page, and the hosts that receive the visitor's token. */
import { describe, expect, it } from "vitest";
import { openPage } from "./page.js";

const REPOSITORY = "https://huggingface.co/owner/Name-GGUF/resolve/main/";

async function pageWith(search: string, ...urls: string[]) {
  const page = await openPage(search);
  const [plan, model, address] = await Promise.all([
    import("../src/state/plan.js"),
    import("../src/state/model.js"),
    import("../src/models/address.js"),
  ]);
  plan.installed.value = urls.map((url) => ({ url, total: 5, bytes: 5, complete: true, time: null }));
  return { page, ...plan, ...model, ...address };
}

describe("the token of Hugging Face", () => {
  it.each([
    "owner/name",
    "owner/name:Q4_K_M",
    "https://huggingface.co/owner/name",
    "hf.co/owner/name",
    "https://www.huggingface.co/owner/name/tree/main",
    "huggingface.co/gpt2",
    "https://huggingface.co/owner/name/resolve/main/model.gguf?download=true",
    "https://huggingface.co/api/models/owner/name",
  ])("goes with %s", async (source) => {
    const { page, downloadOptions } = await pageWith("");
    page.settings.change({ hubToken: "hf_secret" });
    expect(downloadOptions(source).headers).toEqual({ Authorization: "Bearer hf_secret" });
  });

  it.each([
    "models/tiny.gguf",
    "../models/tiny",
    "/models/tiny",
    "https://huggingface.co.example.org/owner/name",
    "https://example.org/huggingface.co/owner/name",
    "huggingface.co/datasets/owner/name",
    "http://[",
  ])("does not go with %s", async (source) => {
    const { page, downloadOptions } = await pageWith("");
    page.settings.change({ hubToken: "hf_secret" });
    expect(downloadOptions(source)).toEqual({});
  });

  it("does not go to another hub", async () => {
    const { page, downloadOptions } = await pageWith("?hub=https://example.org");
    page.settings.change({ hubToken: "hf_secret" });
    expect(downloadOptions("owner/name")).toEqual({ hub: "https://example.org" });
  });
});

describe("a link to a model", () => {
  const KEPT = "https://example.org/kept.gguf";

  it("starts what is kept, and what is this host's own", async () => {
    const { mayStart } = await pageWith("", KEPT, `${REPOSITORY}name-Q4_K_M.gguf`);
    expect([KEPT, "owner/Name-GGUF:Q4_K_M", "/models/tiny.gguf", "models/tiny.gguf"].map(mayStart)).toEqual(
      Array(4).fill(true),
    );
    expect(["https://example.org/other.gguf", "owner/other", "owner/Name-GGUF:Q8_0", "http://["].map(mayStart)).toEqual(
      Array(4).fill(false),
    );
  });

  it.each(["?cache=reload", "?cache=no-store", "?hub=https://evil.example"])(
    "starts nothing of elsewhere with %s",
    async (search) => {
      const { mayStart } = await pageWith(search, KEPT, `${REPOSITORY}name-Q4_K_M.gguf`);
      expect(mayStart(KEPT)).toBe(false);
      expect(mayStart("owner/Name-GGUF")).toBe(false);
      expect(mayStart("/models/tiny.gguf")).toBe(true);
    },
  );
});

describe("what is kept of a repository", () => {
  it("is found by every address of it that can be pasted", async () => {
    const files = ["name-Q4_K_M-00001-of-00002.gguf", "name-Q4_K_M-00002-of-00002.gguf", "a%20b/name-Q8_0.gguf"];
    const { isKeptWhole, keptBytes } = await pageWith("", ...files.map((name) => REPOSITORY + name));
    expect(keptBytes("owner/Name-GGUF")).toBe(15);
    expect(keptBytes("https://hf.co/owner/Name-GGUF")).toBe(15);
    expect(keptBytes("owner/Name-GGUF:q4_k_m")).toBe(10);
    expect(keptBytes("https://huggingface.co/owner/Name-GGUF/tree/main/a%20b")).toBe(5);
    expect(keptBytes(`https://huggingface.co/owner/Name-GGUF/blob/main/${files[0] ?? ""}`)).toBe(10);
    expect(isKeptWhole("owner/Name-GGUF@other")).toBe(false);
    expect(isKeptWhole("owner/Name")).toBe(false);
  });
});

describe("a model that is woken", () => {
  it("says how much has to be fetched first, as far as that is known", async () => {
    const { missingBytes } = await pageWith("", `${REPOSITORY}name-Q4_K_M.gguf`);
    expect(missingBytes("owner/Name-GGUF:Q4_K_M")).toBe(0);
    expect(missingBytes("Qwen/Qwen3-4B-GGUF:Q4_K_M")).toBe(2.5e9);
    expect(missingBytes("owner/other")).toBeUndefined();
  });
});

describe("an address that is none", () => {
  it.each([
    ["https://x.test/%zz.gguf", "%zz.gguf"],
    ["http://[", "["],
    ["%", "%"],
  ])("%s has a name and no files", async (source, name) => {
    const { modelName, isKeptWhole, keptBytes } = await pageWith("", "https://other.test/%.gguf");
    expect(modelName(source)).toBe(name);
    expect([isKeptWhole(source), keptBytes(source)]).toEqual([false, 0]);
  });
});
