/** The effect of dropping a file on the page, with the real package on the fake core. */
import type { Fit } from "hearth-llm";
import { afterEach, describe, expect, it, vi } from "vitest";
import { create, FILE, useFakeCore } from "../../pkg/test/engine-support.js";
import { said } from "./messages.js";
import { toJson } from "../src/store/exchange.js";
import { message } from "./messages.js";
import { openPage } from "./page.js";

useFakeCore();

/** Nothing is measured here: any file that can be read fits. */
const FITS = {
  verdict: "fits",
  evidence: null,
  has: { memory: null, binding: null, storage: null },
  needs: { download: FILE.length },
  tokens_per_second: null,
  speed: null,
  report: {},
} as Fit;

afterEach(() => {
  vi.doUnmock("hearth-llm");
});

async function pick(...files: File[]) {
  vi.doMock(import("hearth-llm"), async (original) => ({
    ...(await original()),
    canRun: async ({ model }) => {
      if ((await (model as File).text()).startsWith("GGUF")) return FITS;
      throw new Error("no model");
    },
  }));
  const page = await openPage("?device=cpu");
  const { backend } = await create();
  const [{ takeFiles }, { model }, { plan }, { toast }, { dialog }, { pictureFailures }] = await Promise.all([
    import("../src/ui/intake.js"),
    import("../src/state/model.js"),
    import("../src/state/plan.js"),
    import("../src/state/toast.js"),
    import("../src/ui/dialogs.js"),
    import("../src/state/pictures.js"),
  ]);
  const faults = (): string[] => pictureFailures.value.map(({ fault }) => fault);
  return { page, backend, model, plan, toast, dialog, faults, drop: () => takeFiles(files) };
}

const picture = (): File => new File([Uint8Array.from("\x89PNG\r\n\x1a\n", (one) => one.charCodeAt(0))], "cat.png");
const gguf = (name = "tiny.gguf"): File => new File([FILE], name);

describe("a file that is dropped while a model answers", () => {
  it("is refused as a picture by a model that does not see, and the answer goes on", async () => {
    const { page, backend, model, plan, dialog, faults, drop } = await pick(picture());
    page.use(backend);
    const sent = page.chat.send("!echo one two");
    await drop();
    expect(faults()).toEqual(["blind"]);
    expect([plan.value.name, dialog.value]).toEqual(["none", undefined]);
    await sent;
    expect(model.value).toMatchObject({ name: "running", backend });
    expect(page.chat.path.value.at(-1)).toMatchObject({ parts: said("one two"), end: "stop" });
  });

  it("becomes a document if it has a text, or is refused by name as one, and the answer goes on", async () => {
    const notes = new File(["The stove needs air."], "notes.png");
    const zeros = new File([new Uint8Array(100)], "zeros.txt");
    const { page, backend, model, plan, dialog, faults, drop } = await pick(notes, zeros, picture());
    page.use(backend);
    const sent = page.chat.send("!echo one two");
    // The engine's double reads no documents: they are read on the page.
    vi.stubGlobal("Worker", undefined);
    await drop();
    expect([plan.value.name, dialog.value]).toEqual(["none", "documents"]);
    expect(faults()).toEqual(["blind"]);
    const { entries, isReading } = await import("../src/state/library.js");
    await vi.waitFor(() => {
      expect([entries.value.length, isReading.value]).toEqual([2, false]);
    });
    expect(entries.value).toMatchObject([
      { name: "notes.png", state: "ready" },
      { name: "zeros.txt", state: "failed", error: { code: "document_type" } },
    ]);
    await sent;
    expect(model.value).toMatchObject({ name: "running", backend });
  });

  it.each([
    ["a model that cannot be read", () => new File(["<!doctype html>"], "page.gguf")],
    ["a model that fits", gguf],
  ])("is shown, and takes nobody's place, if it is %s", async (_, file) => {
    const { page, backend, model, plan, dialog, drop } = await pick(file());
    page.use(backend);
    await drop();
    expect(plan.value.name).not.toBe("none");
    expect(dialog.value).toBe("models");
    expect(model.value).toMatchObject({ name: "running", backend });
  });
});

describe("a picture that is dropped where no model runs", () => {
  it("says what to load", async () => {
    const { toast, drop } = await pick(picture());
    await drop();
    expect(toast.value?.text).toContain("first load a model that sees, such as SmolVLM");
  });
});

describe("conversations that are dropped", () => {
  it.each(["A title.json", "notes.bin"])("are imported, whatever the file is called: %s", async (name) => {
    const conversation = { id: "c", title: "A title", created: 1, updated: 2, leaf: "a", system: "" };
    const text = await toJson([{ conversation, messages: [message("a", null)], files: [] }]);
    const { page, backend, model, plan, toast, drop } = await pick(new File([text], name));
    page.use(backend);
    await drop();
    expect(toast.value?.text).toBe("1 chat imported");
    expect(page.chat.current.value?.title).toBe("A title");
    expect([model.value.name, plan.value.name]).toEqual(["running", "none"]);
  });

  it("are refused if they are damaged, and nothing is lost", async () => {
    const text = '{"format":"hearth-conversations","version":1,"conversations":[{}]}';
    const { page, toast, drop } = await pick(new File([text], "old.json"));
    const before = page.chat.conversations.value;
    await drop();
    expect(toast.value?.text).toContain("old.json is not a Hearth export");
    expect(page.chat.conversations.value).toBe(before);
  });
});

describe("a file that is dropped where no model runs", () => {
  it("starts if it fits, whatever its name", async () => {
    const { plan, model, drop } = await pick(gguf("download"));
    await drop();
    expect(plan.value).toMatchObject({ name: "none" });
    expect(model.value).toMatchObject({ name: "loading" });
    await vi.waitFor(() => {
      expect(model.value.name).toBe("running");
    });
    if (model.value.name === "running") model.value.backend.dispose();
  });

  it("is shown with its error where it cannot be read", async () => {
    const { plan, model, drop } = await pick(new File(["<!doctype html>"], "page.gguf"));
    await drop();
    expect(plan.value.name).toBe("failed");
    expect(model.value.name).toBe("none");
  });
});
