/** Speech models whose network is on the GPU: which they are, what they are given, and what becomes of a GPU that fails. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Notice } from "../src/core/protocol.js";
import type { Transcriber } from "../src/audio/index.js";
import { fakeCore, resetFakeCore } from "./audio-core.js";
import { fake } from "./audio-module.js";
import { create, sound, useFakeModule } from "./audio-support.js";

useFakeModule();

beforeEach(() => {
  resetFakeCore();
  const info = { vendor: "v", architecture: "a", device: "d", description: "" };
  vi.stubGlobal("navigator", { gpu: { requestAdapter: () => Promise.resolve({ info }) } });
});

/** Returns a ggml file of a model of this width. */
function ggml(width: number): File {
  const bytes = new Uint8Array(100);
  bytes.set(Array.from("ggml", (letter) => letter.charCodeAt(0)));
  new DataView(bytes.buffer).setUint32(12, width, true);
  return new File([bytes], "ggml.bin");
}

async function text(transcriber: Transcriber): Promise<string> {
  return (await transcriber.audio.transcriptions.create({ file: sound(2) })).text;
}

describe("a speech model's device", () => {
  it("is the GPU for models larger than base, which are handed over tensor by tensor", async () => {
    const notices: Notice[] = [];
    const onNotice = (notice: Notice): void => void notices.push(notice);
    expect((await create({ model: ggml(512), onNotice })).model.device).toBe("cpu");
    expect(fakeCore.opened).toBe(0);
    fake.tensors = ["encoder.conv1.weight", "decoder.layer_norm.bias"];
    const { model } = await create({ model: ggml(768), onNotice });
    expect(model).toMatchObject({ device: "webgpu", bytes: 1234 });
    expect(fakeCore).toMatchObject({
      opened: 1,
      tensors: ["encoder.conv1.weight", "decoder.layer_norm.bias"],
      config: "sizes",
    });
    expect(notices).toEqual([]);
  });

  it("is the one that is asked for", async () => {
    expect((await create({ model: ggml(384), device: "webgpu" })).model.device).toBe("webgpu");
    expect((await create({ model: ggml(1280), device: "cpu" })).model.device).toBe("cpu");
    expect(fakeCore.opened).toBe(1);
  });

  it.each(["out_of_memory", "gpu_error", "device_lost"])("is the CPU where the GPU fails: %s", async (fault) => {
    fakeCore.fault = fault;
    const notices: Notice[] = [];
    const { model } = await create({ model: ggml(1280), onNotice: (notice) => void notices.push(notice) });
    expect(model.device).toBe("cpu");
    expect(notices.map(({ code }) => code)).toEqual(["cpu_fallback"]);
    expect(notices[0]?.message).toContain("the GPU failed");
    await expect(create({ model: ggml(1280), device: "webgpu" })).rejects.toMatchObject({ code: fault });
  });

  it("is not the CPU where the model is at fault", async () => {
    fakeCore.fault = "missing_tensor";
    await expect(create({ model: ggml(1280) })).rejects.toMatchObject({ code: "missing_tensor" });
    expect(fake.loads).toBe(1);
  });

  it("is the CPU without WebGPU, from the same download", async () => {
    vi.stubGlobal("navigator", {});
    const notices: Notice[] = [];
    const { model } = await create({ model: ggml(1280), onNotice: (notice) => void notices.push(notice) });
    expect(model.device).toBe("cpu");
    expect(fake.loads).toBe(1);
    expect(notices.map(({ code }) => code)).toEqual(["cpu_fallback"]);
    await expect(create({ model: ggml(1280), device: "webgpu" })).rejects.toMatchObject({ code: "no_webgpu" });
  });
});

describe("a run on the GPU", () => {
  it("computes what it asks for, and tells how far it is every eight tokens", async () => {
    const transcriber = await create({ model: ggml(768) });
    const token = (from: number) => ({ type: "decode" as const, from, ids: [from + 1], picks: [0, 0] });
    const tokens = Array.from({ length: 9 }, (_, from) => token(from));
    fake.work = [
      { type: "encode" },
      ...tokens,
      {
        type: "align",
        ids: [1, 2],
        heads: [
          [0, 1],
          [3, 4],
        ],
      },
    ];
    expect(await text(transcriber)).toBe("w1 w2");
    expect(fakeCore.heard).toBe(1);
    expect(fakeCore.steps.map(([from, ids]) => [from, ids])).toEqual(Array.from({ length: 9 }, (_, i) => [i, [i + 1]]));
    expect(fakeCore.aligned).toEqual([
      [
        [1, 2],
        [0, 1, 3, 4],
      ],
    ]);
    expect(fake.answers).toEqual([0, ...Array.from({ length: 9 }, () => 8), 5]);
    expect(fake.freed).toBe(1);
  });

  it("stops between two tokens", async () => {
    const transcriber = await create({ model: ggml(768) });
    fake.work = Array.from({ length: 1000 }, (_, from) => ({ type: "decode" as const, from, ids: [1], picks: [0, 0] }));
    const controller = new AbortController();
    const { signal } = controller;
    fakeCore.onStep = () => {
      if (fakeCore.steps.length === 20) controller.abort();
    };
    const asked = transcriber.audio.transcriptions.create({ file: sound(2) }, { signal });
    await expect(asked).rejects.toMatchObject({ code: "cancelled" });
    await vi.waitFor(() => {
      expect(fake.freed).toBe(1);
    });
    expect(fakeCore.steps.length).toBeLessThan(30);
  });
});
