import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Engine } from "../src/index.js";
import { TUNING } from "./fake-objects.js";
import { WorkerDouble } from "./worker-double.js";

/** The part of Cache Storage that is used. */
class FakeCaches {
  readonly entries = new Map<string, string>();
  fails = false;

  open(): Promise<{
    match: (key: string) => Promise<Response | undefined>;
    put: (key: string, r: Response) => Promise<void>;
  }> {
    if (this.fails) return Promise.reject(new DOMException("closed", "SecurityError"));
    return Promise.resolve({
      match: (key) => {
        const text = this.entries.get(key);
        return Promise.resolve(text === undefined ? undefined : new Response(text));
      },
      put: async (key, response) => {
        this.entries.set(key, await response.text());
      },
    });
  }
}

let caches: FakeCaches;
let info = { vendor: "fake", architecture: "9000", device: "", description: "" };

beforeEach(() => {
  caches = new FakeCaches();
  info = { ...info, architecture: "9000" };
  vi.stubGlobal("Worker", WorkerDouble);
  vi.stubGlobal("caches", caches);
  vi.stubGlobal("navigator", { gpu: { requestAdapter: () => Promise.resolve({ info }) } });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

async function load(deviceOptions = {}): Promise<void> {
  const model = new Blob(["GGUF".padEnd(100, "x")]);
  const engine = await Engine.create({ model, device: "webgpu", deviceOptions });
  engine.dispose();
}

/** Returns the stored tunings. The fake core reports whether it measured. */
const kept = (): unknown[] => [...caches.entries.values()].map((text) => JSON.parse(text) as unknown);

describe("the tuning of a device", () => {
  it("is measured once and kept for each adapter", async () => {
    await load();
    expect(kept()).toEqual([TUNING]);
    await load();
    expect(kept()).toEqual([TUNING]);
    info = { ...info, architecture: "9001" };
    await load();
    expect(kept()).toHaveLength(2);
  });

  it("is not kept of a restricted device", async () => {
    await load({ features: "none" });
    expect(kept()).toEqual([]);
  });

  it("is measured where nothing can be kept", async () => {
    caches.fails = true;
    await load();
    vi.stubGlobal("caches", undefined);
    await load();
  });
});
