/** The banner's text for the device that a model runs on. */
import { describe, expect, it, vi } from "vitest";
import { create, useFakeCore } from "../../pkg/test/engine-support.js";
import { openPage } from "./page.js";

useFakeCore();

async function bannerOn(device: { kind: "webgpu" | "cpu"; software: boolean }) {
  const page = await openPage();
  const engine = await create();
  vi.spyOn(engine, "device", "get").mockReturnValue({ ...engine.device, ...device });
  page.use(engine);
  return import("../src/state/banner.js");
}

describe("the banner", () => {
  it("says nothing of a graphics card, and warns of an emulated one", async () => {
    const real = await bannerOn({ kind: "webgpu", software: false });
    expect(real.banner.value).toEqual({ texts: [], canUseCpu: false });
    const emulated = await bannerOn({ kind: "webgpu", software: true });
    expect(emulated.banner.value).toEqual({
      texts: [expect.stringContaining("hardware acceleration") as string],
      canUseCpu: true,
    });
  });

  it("offers no CPU to who has it", async () => {
    const { banner } = await bannerOn({ kind: "cpu", software: true });
    expect(banner.value).toEqual({ texts: [expect.stringContaining("CPU") as string], canUseCpu: false });
  });
});
