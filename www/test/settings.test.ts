/** Persistence of the settings, with several tabs open. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { FitOptions } from "hearth-llm";
import { openPage } from "./page.js";

const KEY = "hearth.settings";
let disk: Map<string, string>;
const written = (): Record<string, unknown> => JSON.parse(disk.get(KEY) ?? "{}") as Record<string, unknown>;

beforeEach(() => {
  disk = new Map();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => disk.get(key) ?? null,
    setItem: (key: string, value: string) => disk.set(key, value),
  });
});

afterEach(() => {
  vi.doUnmock("hearth-llm");
  vi.unstubAllGlobals();
});

/** Opens a tab; also returns the handler that the browser calls in it when another tab has written. */
async function tab() {
  let tell: (event: { key: string }) => void = () => undefined;
  vi.stubGlobal("addEventListener", (_type: string, listener: typeof tell) => {
    tell = listener;
  });
  const { settings } = await openPage();
  settings.applySettings();
  return { ...settings, hear: tell.bind(undefined, { key: KEY }) };
}

describe("settings of two tabs", () => {
  it("lose nothing that the other one changed, though it was not told", async () => {
    const old = await tab();
    const other = await tab();
    other.change({ theme: "dark", system: "Be brief." });
    old.change({ model: "owner/name" });
    expect(written()).toMatchObject({ theme: "dark", system: "Be brief.", model: "owner/name" });
    expect((await tab()).settings.value).toMatchObject({ theme: "dark", system: "Be brief.", model: "owner/name" });
  });

  it("show at once what the other one changed", async () => {
    const [here, there] = [await tab(), await tab()];
    there.change({ language: "zh-CN", hubToken: "hf_secret" });
    here.hear();
    expect(here.settings.value).toMatchObject({ language: "zh-CN", hubToken: "hf_secret" });
  });
});

describe("the token", () => {
  it("is kept until it is wished for this visit only, and then taken off the disk", async () => {
    const here = await tab();
    here.change({ hubToken: "hf_secret" });
    expect(written().hubToken).toBe("hf_secret");
    here.change({ isTokenBrief: true });
    expect([...disk.values()].join()).not.toContain("hf_secret");
    here.change({ theme: "dark", hubToken: "hf_other" });
    expect([...disk.values()].join()).not.toContain("hf_other");
    // Another tab writes; the token is still there for this visit.
    (await tab()).change({ theme: "light" });
    here.hear();
    expect(here.settings.value).toMatchObject({ theme: "light", hubToken: "hf_other" });
    expect((await tab()).settings.value.hubToken).toBe("");
    here.change({ isTokenBrief: false });
    expect(written().hubToken).toBe("hf_other");
  });
});

describe("graphics memory", () => {
  async function told(search: string, memory: number): Promise<number | undefined> {
    let asked: FitOptions | undefined;
    vi.doMock(import("hearth-llm"), async (original) => ({
      ...(await original()),
      canRun: (options) => {
        asked = options;
        return Promise.reject(new Error("enough"));
      },
    }));
    const { settings } = await openPage(search);
    settings.change({ memory });
    const { look } = await import("../src/state/plan.js");
    await look("https://example.org/x.gguf");
    return asked?.memory;
  }

  it("is the package's to find out, or what the visitor says, or the address", async () => {
    expect(await told("", 0)).toBeUndefined();
    expect(await told("", 8)).toBe(0.9 * 8 * 2 ** 30);
    expect(await told("?memory=1000", 8)).toBe(1000);
  });
});
