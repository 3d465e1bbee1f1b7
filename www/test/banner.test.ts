/** The banner's text for the device that a model runs on. */
import { describe, expect, it, vi } from "vitest";
import { create, useFakeCore } from "../../pkg/test/engine-support.js";
import { backendOf } from "./backends.js";
import { openPage } from "./page.js";

useFakeCore();

async function bannerOn(device: { kind: "webgpu" | "cpu"; software: boolean }) {
  const page = await openPage();
  const { backend, device: own } = await create();
  if (backend.local !== undefined) vi.spyOn(backend.local, "device", "get").mockReturnValue({ ...own, ...device });
  page.use(backend);
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

  it("says nothing of the device of a model that runs elsewhere", async () => {
    const page = await openPage();
    page.use(backendOf(() => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) })));
    const { banner } = await import("../src/state/banner.js");
    expect(banner.value).toEqual({ texts: [], canUseCpu: false });
  });

  it("offers no CPU to who has it", async () => {
    const { banner } = await bannerOn({ kind: "cpu", software: true });
    expect(banner.value).toEqual({ texts: [expect.stringContaining("CPU") as string], canUseCpu: false });
  });
});
