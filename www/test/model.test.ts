/** Changing the model: the old one answers until the new one is here, and a failure leaves it in its place. */
import { fetchModel, HearthError, type FetchOptions } from "hearth-llm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FILE, useFakeCore } from "../../pkg/test/engine-support.js";
import { spokenBackend } from "./backends.js";
import { emptyDisk, openPage, type Page } from "./page.js";

vi.mock(import("hearth-llm"), async (original) => ({ ...(await original()), fetchModel: vi.fn() }));

useFakeCore();

let page: Page;
let model: typeof import("../src/state/model.js");
let bring: { resolve: (isKept: boolean) => void; reject: (error: unknown) => void; options: FetchOptions } | undefined;

const NEXT = { source: "https://models.test/next.gguf", options: { device: "cpu" as const } };

beforeEach(async () => {
  emptyDisk();
  page = await openPage("?device=cpu");
  model = await import("../src/state/model.js");
  bring = undefined;
  const { fetchModel: fetched } = await import("hearth-llm");
  vi.mocked(fetched).mockImplementation(
    (options) =>
      new Promise((resolve, reject) => {
        bring = { resolve, reject, options };
      }),
  );
  vi.stubGlobal("fetch", () =>
    Promise.resolve(new Response(FILE, { headers: { "Content-Length": String(FILE.length) } })),
  );
});

afterEach(() => {
  model.unload();
  vi.mocked(fetchModel).mockReset();
});

async function begun(): Promise<NonNullable<typeof bring>> {
  await vi.waitFor(() => {
    expect(bring).toBeDefined();
  });
  return bring ?? Promise.reject(new Error("nothing is fetched"));
}

describe("a model that is chosen while another one runs", () => {
  it("takes its place when its files are here and the answer has ended, and not before", async () => {
    const { backend, say, end } = spokenBackend();
    page.use(backend);
    const sent = page.chat.send("What is a hearth?");
    say("A place ");
    const loading = model.load(NEXT);
    const { options, resolve } = await begun();
    options.onProgress?.({ phase: "download", loaded: 5, total: 10 });
    expect(model.backend.value).toBe(backend);
    expect(model.incoming.value).toEqual({ name: "loading", choice: NEXT });
    expect(model.phases.value.download).toMatchObject({ loaded: 5, total: 10, state: "active" });
    resolve(true);
    await vi.waitFor(() => {
      expect(model.incoming.value?.name).toBe("ready");
    });
    // A new question belongs to the new model.
    expect([model.backend.value, page.chat.canAsk.value]).toEqual([backend, false]);
    say("for a fire.");
    end();
    await sent;
    expect(page.chat.path.value.at(-1)).toMatchObject({ end: "stop" });
    await loading;
    expect(model.model.value).toMatchObject({ name: "running", choice: NEXT });
    expect([model.backend.value === backend, model.incoming.value]).toEqual([false, undefined]);
  });

  it("leaves the other one running if it cannot be fetched, and says why until that is read", async () => {
    const { backend } = spokenBackend();
    page.use(backend);
    const loading = model.load(NEXT);
    const { reject } = await begun();
    const error = new HearthError("download_http", "nothing there");
    reject(error);
    await loading;
    expect(model.incoming.value).toEqual({ name: "failed", choice: NEXT, error });
    expect(model.backend.value).toBe(backend);
    model.cancel();
    expect([model.incoming.value, model.backend.value]).toEqual([undefined, backend]);
  });

  it("is paused, resumed and given up without touching the other one", async () => {
    const { backend } = spokenBackend();
    page.use(backend);
    void model.load(NEXT);
    const first = await begun();
    model.pause();
    expect(first.options.signal?.aborted).toBe(true);
    first.reject(new HearthError("cancelled", "paused"));
    expect(model.incoming.value).toEqual({ name: "paused", choice: NEXT });
    bring = undefined;
    model.resume();
    const second = await begun();
    expect(model.incoming.value).toEqual({ name: "loading", choice: NEXT });
    model.cancel();
    second.reject(new HearthError("cancelled", "given up"));
    await Promise.resolve();
    expect([model.incoming.value, model.backend.value]).toEqual([undefined, backend]);
  });

  it("offers the way back if it is here and does not start", async () => {
    const { backend } = spokenBackend();
    page.use(backend, "old");
    vi.stubGlobal("fetch", () => Promise.resolve(new Response("<!doctype html>")));
    const loading = model.load(NEXT);
    (await begun()).resolve(true);
    await loading;
    expect(model.model.value).toMatchObject({
      name: "failed",
      choice: NEXT,
      error: { code: "bad_file" },
      before: { source: "old" },
    });
  });
});

describe("a model that is chosen where none runs", () => {
  it("is loaded at once", async () => {
    await model.load(NEXT);
    expect([bring, model.model.value.name]).toEqual([undefined, "running"]);
  });
});
