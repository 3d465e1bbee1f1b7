import { beforeEach, describe, expect, it, vi } from "vitest";
import type { EngineStats } from "../src/index.js";
import { createBeside, type BesideOptions, type Engine, type Notice } from "../src/index.js";
import { code, FILE, useFakeCore } from "./engine-support.js";
import { Inspector } from "./fake-wasm.js";
import { report } from "./reports.js";

const GIB = 2 ** 30;
const engines: Engine[] = [];
let notices: Notice[];

useFakeCore();

beforeEach(() => {
  notices = [];
  for (const engine of engines.splice(0)) engine.dispose();
  // 2 GiB of weights and half a GiB of keys and values.
  vi.spyOn(Inspector.prototype, "push").mockReturnValue(report());
});

function running(kind: "webgpu" | "cpu", bytes: number): BesideOptions["beside"][number] {
  return {
    device: { kind } as Engine["device"],
    stats: () => Promise.resolve({ gpu_bytes: bytes } as EngineStats),
  };
}

/** Creates an embedder beside others; returns the device that it was given. */
async function device(
  beside: BesideOptions["beside"],
  memory: number | undefined,
  adapter: object | null = { limits: {}, info: {}, features: new Set() },
): Promise<string> {
  vi.stubGlobal("navigator", { gpu: { requestAdapter: () => Promise.resolve(adapter) } });
  const options: BesideOptions = { model: new Blob([FILE]), beside, onNotice: (notice) => notices.push(notice) };
  const engine = await createBeside({ ...options, ...(memory !== undefined && { memory }) });
  engines.push(engine);
  return engine.device.kind;
}

describe("createBeside", () => {
  it("shares the GPU while both fit, by what is held there", async () => {
    expect(await device([running("webgpu", 4 * GIB)], 7 * GIB)).toBe("webgpu");
    expect(notices).toEqual([]);
  });

  it("goes to the CPU when they do not, and says why", async () => {
    expect(await device([running("webgpu", 3 * GIB), running("webgpu", 2 * GIB)], 7 * GIB)).toBe("cpu");
    expect(notices).toMatchObject([{ code: "cpu_fallback" }]);
    expect(notices[0]?.message).toContain("it takes 2560 MiB and there are about 2048 MiB");
  });

  it("goes to the CPU where nothing tells how much memory there is", async () => {
    expect(await device([running("webgpu", GIB)], undefined, null)).toBe("cpu");
    expect(notices[0]?.message).toContain("nothing here tells how much memory there is");
  });

  it("leaves the GPU alone when the others are on the CPU: nothing is to be shared", async () => {
    expect(await device([running("cpu", 0)], GIB)).toBe("webgpu");
    expect(notices).toEqual([]);
  });

  it("refuses a stream, which cannot be read twice", async () => {
    const model = new Blob([FILE]).stream();
    expect(await code(createBeside({ model, beside: [] }))).toBe("invalid_request");
  });
});
