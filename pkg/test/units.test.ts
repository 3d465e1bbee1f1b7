import { describe, expect, it, vi } from "vitest";
import { deserializeError, HearthError, serializeError, toHearthError } from "../src/core/errors.js";
import { installGpuShims } from "../src/worker/gpu-shims.js";
import { requireWebGpu } from "../src/worker/gpu-probe.js";
import { coalesce } from "../src/source/coalesce.js";

describe("errors", () => {
  it("survive structured clone", () => {
    const error = new HearthError("download_http", "the server answered 404", { status: 404, cause: new Error("x") });
    const copy = deserializeError(structuredClone(serializeError(error)));
    expect(copy).toBeInstanceOf(HearthError);
    expect(copy).toMatchObject({ code: "download_http", message: error.message, hint: error.hint, status: 404 });
    expect(copy.cause).toBe("Error: x");
  });

  it("keep the core's code and hint", () => {
    const core = Object.assign(new Error("no"), { name: "HearthError", code: "bad_file", hint: "again" });
    expect(toHearthError(core)).toMatchObject({ code: "bad_file", message: "no", hint: "again" });
    expect(toHearthError(new DOMException("stop", "AbortError")).code).toBe("cancelled");
    expect(toHearthError("text").code).toBe("internal_error");
  });
});

describe("coalesce", () => {
  async function sizes(pieces: number[], size: number): Promise<{ sizes: number[]; bytes: number[] }> {
    let next = 0;
    async function* source(): AsyncGenerator<Uint8Array> {
      await Promise.resolve();
      for (const length of pieces) yield Uint8Array.from({ length }, () => next++ % 256);
    }
    const out: number[] = [];
    const bytes: number[] = [];
    for await (const chunk of coalesce(source(), size)) {
      out.push(chunk.length);
      bytes.push(...chunk);
    }
    return { sizes: out, bytes };
  }

  it("passes the first piece at once and then fills its buffer", async () => {
    const { sizes: lengths, bytes } = await sizes([3, 4, 5, 25, 1], 10);
    expect(lengths).toEqual([3, 10, 10, 10, 5]);
    expect(bytes).toEqual(Array.from({ length: 38 }, (_, index) => index));
  });

  it("gives nothing for nothing", async () => {
    expect((await sizes([], 10)).sizes).toEqual([]);
  });
});

describe("GPU shims", () => {
  function scope(features: string[]) {
    class GPUSupportedFeatures {
      has(name: string): boolean {
        return features.includes(name);
      }
    }
    const requestDevice = vi.fn<(descriptor: { requiredFeatures: string[] }) => Promise<object>>();
    requestDevice.mockResolvedValue({ lost: new Promise(() => undefined) });
    class GPUAdapter {
      features = new GPUSupportedFeatures();
      requestDevice(descriptor: { requiredFeatures: string[] }) {
        return requestDevice(descriptor);
      }
    }
    return { GPUSupportedFeatures, GPUAdapter, requestDevice };
  }

  async function request(features: string[], wanted: string[], subgroups = true): Promise<string[] | undefined> {
    const globals = scope(features);
    installGpuShims({ subgroups: () => subgroups, onLost: () => undefined }, globals);
    const adapter = new globals.GPUAdapter();
    expect(adapter.features.has("timestamp-query")).toBe(true);
    await adapter.requestDevice({ requiredFeatures: wanted });
    return globals.requestDevice.mock.calls[0]?.[0].requiredFeatures;
  }

  it("ask for subgroups where they are, unless told not to", async () => {
    expect(await request(["subgroups"], ["timestamp-query"])).toEqual(["subgroups"]);
    expect(await request(["subgroups"], [], false)).toEqual([]);
  });

  it("do not ask for what is missing", async () => {
    expect(await request([], ["timestamp-query", "shader-f16"])).toEqual(["shader-f16"]);
    expect(await request(["timestamp-query"], ["timestamp-query"])).toEqual(["timestamp-query"]);
  });
});

describe("requireWebGpu", () => {
  it.each([
    ["https", { isSecureContext: false, navigator: {} }],
    ["navigator.gpu", { isSecureContext: true, navigator: {} }],
    ["no usable GPU", { navigator: { gpu: { requestAdapter: () => Promise.resolve(null) } } }],
  ])("names the reason: %s", async (reason, scope) => {
    await expect(requireWebGpu(scope)).rejects.toMatchObject({
      code: "no_webgpu",
      message: expect.stringContaining(reason) as string,
    });
  });
});

describe("the package", () => {
  it("can be imported without a browser", async () => {
    expect(Object.keys(await import("../src/index.js")).sort()).toEqual([
      "CORE_ERROR_CODES",
      "CompletionStream",
      "Completions",
      "Embeddings",
      "Engine",
      "HOST_ERROR_CODES",
      "HearthError",
      "TextCompletions",
      "Translations",
      "apiOf",
      "canRun",
      "createBeside",
      "fetchModel",
      "inspectModel",
      "parseHubId",
    ]);
  });
});
