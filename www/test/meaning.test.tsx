// @vitest-environment happy-dom
/** The search by meaning: its switch, its download, and the embedder that comes and goes. */
import "fake-indexeddb/auto";
import { HearthError } from "hearth-llm";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { dropEmbedder, embedder, embedderState, restoreEmbedder } from "../src/state/embedder.js";
import { add, findByMeaning, meaning, opened, removeAll } from "../src/state/library.js";
import { model } from "../src/state/model.js";
import { change, settings } from "../src/state/settings.js";
import { DocumentsDialog } from "../src/ui/Documents.js";
import { fakes } from "./embedders.js";

vi.hoisted(() => {
  // happy-dom has null, which no browser has.
  Object.defineProperty(navigator, "locks", { value: undefined });
});
vi.mock("hearth-llm", async (original) => ({
  ...(await original<object>()),
  ...(await import("./embedders.js")).fakePackage,
}));
vi.mock("hearth-llm/cache", async (original) => ({
  ...(await original<object>()),
  ...(await import("./embedders.js")).fakeCache,
}));

const STOVE = new File(["The stove gives heat."], "stove.txt");
const SEA = new File(["Each ship waits in the harbour."], "sea.txt");
const signal = new AbortController().signal;
const fetches = vi.fn(() => Promise.reject(new Error("nothing is fetched")));

const find = (selector: string): HTMLElement | null => document.querySelector<HTMLElement>(selector);
const box = (): HTMLInputElement | null => document.querySelector<HTMLInputElement>("#finds-by-meaning");
const names = async (query: string): Promise<string[]> =>
  (await (await opened()).search(query)).map(({ document }) => document.name);

async function show(): Promise<void> {
  await act(() => {
    render(<DocumentsDialog />, document.body);
  });
}

/** Clicks, and waits for what comes of it. */
async function click(selector: string, done: () => void): Promise<void> {
  await act(async () => {
    find(selector)?.click();
    await vi.waitFor(done, { timeout: 10_000 });
  });
}

/** Switches the search by meaning on, with the files there. */
async function turnOn(): Promise<void> {
  fakes.keep();
  await act(() => findByMeaning(true));
  await act(() =>
    vi.waitFor(
      () => {
        expect(meaning.value.state).toBe("ready");
      },
      { timeout: 10_000 },
    ),
  );
}

beforeEach(() => {
  fakes.reset();
  vi.stubGlobal("fetch", fetches);
});

afterEach(async () => {
  expect(fetches).not.toHaveBeenCalled();
  render(null, document.body);
  await removeAll();
  await findByMeaning(false);
  change({ language: "en" });
  model.value = { name: "none" };
  vi.unstubAllGlobals();
});

describe("the switch", () => {
  it("is off until the visitor wants it, and says what it would fetch", async () => {
    await show();
    await act(() => add([STOVE]));
    expect(box()?.checked).toBe(false);
    expect(find("#meaning-note")?.textContent).toBe(
      "Fetches all-MiniLM-L6-v2, 91.6 MB, once. It knows English best. Apache-2.0",
    );
    expect(await names("stove")).toEqual(["stove.txt"]);
    expect(await names("warm fire")).toEqual([]);
    expect([fakes.fetching, fakes.engines]).toEqual([[], []]);
  });

  it("fetches the embedder, and passages are found by meaning when their vectors are there", async () => {
    await act(() => add([STOVE, SEA]));
    await show();
    await click("#finds-by-meaning", () => {
      expect(fakes.fetching).toHaveLength(1);
    });
    const [fetching] = fakes.fetching;
    expect(fetching?.model).toBe("sentence-transformers/all-MiniLM-L6-v2");
    await act(() => fetching?.onProgress({ phase: "download", loaded: 45e6, total: 90e6 }));
    expect(find("#meaning")?.textContent).toContain("45.0 MB of 90.0 MB");
    expect(document.querySelector<HTMLProgressElement>("#meaning progress")?.value).toBe(0.5);
    await act(async () => {
      fetching?.finish();
      await vi.waitFor(
        () => {
          expect(meaning.value.state).toBe("ready");
        },
        { timeout: 10_000 },
      );
    });
    expect(find("#meaning-state")?.textContent).toBe("All passages can be found by meaning.");
    expect([...document.querySelectorAll<HTMLElement>("#library li")].map(({ dataset }) => dataset.state)).toEqual([
      "ready",
      "ready",
    ]);
    expect(find("#library li")?.textContent).toContain("by words and by meaning");
    expect(find("#meaning-note")?.textContent).toContain("which is on this device");
    expect((await names("warm fire"))[0]).toBe("stove.txt");
    // From the files that are here: a server that is asked for them would know of each visit.
    const [engine] = fakes.engines;
    const given = engine?.options.model;
    expect(Array.isArray(given) && given.map(({ name }) => name.replace(":", "/"))).toEqual([
      ...["1_Pooling/config.json", "config.json", "model.safetensors", "tokenizer.json"],
    ]);
    expect(fakes.engines).toHaveLength(1);
    expect(settings.value.findsByMeaning).toBe(true);
  });

  it("gives a download up", async () => {
    await show();
    await click("#finds-by-meaning", () => {
      expect(fakes.fetching).toHaveLength(1);
    });
    await click("#meaning-cancel", () => {
      expect(embedderState.value.name).toBe("off");
    });
    expect(fakes.fetching[0]?.signal.aborted).toBe(true);
    expect([box()?.checked, settings.value.findsByMeaning, fakes.engines.length]).toEqual([false, false, 0]);
  });

  it("says why a download failed, and tries it again", async () => {
    await show();
    await click("#finds-by-meaning", () => {
      expect(fakes.fetching).toHaveLength(1);
    });
    await act(async () => {
      fakes.fetching[0]?.fail(new HearthError("download_broken", "the connection broke"));
      await vi.waitFor(() => {
        expect(embedderState.value.name).toBe("failed");
      });
    });
    expect(find("#meaning .error")?.dataset.code).toBe("download_broken");
    expect(box()?.checked).toBe(false);
    await click("#meaning .error button", () => {
      expect(fakes.fetching).toHaveLength(2);
    });
  });

  it("speaks Chinese", async () => {
    change({ language: "zh-CN" });
    await show();
    expect(find("#meaning")?.textContent).toContain("也按含义查找段落");
    expect(find("#meaning-note")?.textContent).toContain("将下载一次 all-MiniLM-L6-v2（91.6 MB）");
  });
});

describe("on a later visit", () => {
  it("the embedder is taken from this device, and not fetched if it is gone", async () => {
    change({ findsByMeaning: true });
    expect(await restoreEmbedder()).toBe(false);
    expect(embedderState.value.name).toBe("off");
    fakes.keep();
    expect(await restoreEmbedder()).toBe(true);
    dropEmbedder();
    expect(await restoreEmbedder()).toBe(false);
    expect([fakes.fetching, fakes.engines]).toEqual([[], []]);
  });
});

describe("the embedder", () => {
  it("that fails pauses the search by meaning, words go on, and it can be tried again", async () => {
    await turnOn();
    await show();
    fakes.failing = new HearthError("device_lost", "the GPU is gone");
    await act(() => add([STOVE]));
    await act(() =>
      vi.waitFor(
        () => {
          expect(meaning.value.state).toBe("paused");
        },
        { timeout: 10_000 },
      ),
    );
    expect(find("#meaning .error")?.dataset.code).toBe("device_lost");
    expect(await names("stove")).toEqual(["stove.txt"]);
    fakes.failing = undefined;
    await click("#meaning .error button", () => {
      expect(meaning.value.state).toBe("ready");
    });
  });

  it("waits while a chat's model loads, and is loaded anew beside it", async () => {
    await turnOn();
    await act(() => add([STOVE]));
    await vi.waitFor(() => {
      expect(fakes.engines).toHaveLength(1);
    });
    await act(() =>
      vi.waitFor(
        () => {
          expect(meaning.value.state).toBe("ready");
        },
        { timeout: 10_000 },
      ),
    );
    const choice = { source: "chat.gguf", options: {} };
    model.value = { name: "loading", choice };
    await vi.waitFor(() => {
      expect(fakes.engines[0]?.isDisposed).toBe(true);
    });
    const searching = names("warm fire");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(fakes.engines).toHaveLength(1);
    model.value = { name: "none" };
    expect((await searching)[0]).toBe("stove.txt");
    expect(fakes.engines).toHaveLength(2);
  });

  it("gives its memory back after a minute without work, and comes again", async () => {
    fakes.keep();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const embed = async (): Promise<void> => {
        const answer = embedder.embed({ input: ["warm"] }, { signal });
        await vi.advanceTimersByTimeAsync(10);
        await answer;
      };
      await embed();
      await vi.advanceTimersByTimeAsync(59_000);
      await embed();
      await vi.advanceTimersByTimeAsync(59_000);
      expect(fakes.engines.map(({ isDisposed }) => isDisposed)).toEqual([false]);
      await vi.advanceTimersByTimeAsync(2_000);
      expect(fakes.engines.map(({ isDisposed }) => isDisposed)).toEqual([true]);
      await embed();
      expect(fakes.engines).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it("makes nothing but embeddings", async () => {
    const request = { messages: [], model: "x" };
    await expect(embedder.chat(request, { signal })).rejects.toMatchObject({ code: "invalid_request" });
  });
});
