// @vitest-environment happy-dom
/** The first visit, and what follows the model that it begins with. */
import type { Fit } from "hearth-llm";
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CATALOG, DEFAULT_MODEL } from "../src/models/catalog.js";
import { newConversation, send } from "../src/state/chat.js";
import { tellReplacements } from "../src/state/better.js";
import { isStarting, model } from "../src/state/model.js";
import { device, plan } from "../src/state/plan.js";
import { waiting } from "../src/state/queue.js";
import { change } from "../src/state/settings.js";
import { hideToast, toast } from "../src/state/toast.js";
import { App } from "../src/ui/App.js";
import { spokenBackend } from "./backends.js";
import { all, find, press, settle } from "./picture-page.js";

const { canRun, load } = vi.hoisted(() => ({ canRun: vi.fn(), load: vi.fn(() => Promise.resolve()) }));
vi.mock(import("hearth-llm"), async (original) => ({ ...(await original()), canRun }));
vi.mock(import("../src/state/model.js"), async (original) => ({ ...(await original()), load }));

/** A device on which the third card differs from the second one. */
const ROOMY = { memory: 8e9, bandwidth: 60e9 };

beforeEach(async () => {
  vi.stubGlobal("matchMedia", () => ({ matches: false }));
  canRun.mockReturnValue(new Promise<Fit>(() => undefined));
  load.mockClear();
  isStarting.value = false;
  await act(() => {
    render(<App />, document.body);
  });
});

afterEach(async () => {
  await act(() => {
    render(null, document.body);
    model.value = { name: "none" };
    plan.value = { name: "none" };
    device.value = { memory: null, bandwidth: undefined };
    change({ language: "auto", model: "" });
    newConversation();
    hideToast();
  });
  vi.unstubAllGlobals();
});

const headings = (): string[] => all(".offer h2").map(({ textContent }) => textContent);

describe("the first visit", () => {
  it("has buttons before anything is known of a model or of the device", () => {
    expect(plan.value.name).toBe("reading");
    expect(headings()).toEqual(["Qwen3 1.7B", "SmolLM2 135M Instruct"]);
    expect(find("#start-now")?.textContent).toContain("Download 98.4 MB and start");
    expect(find("#more-models")?.hasAttribute("open")).toBe(false);
  });

  it("offers the strongest model that runs when the device is known, and says how fast they are", async () => {
    await act(() => {
      device.value = ROOMY;
    });
    expect(all(".offer").map((card) => card.dataset.kind)).toEqual(["recommended", "now", "best"]);
    expect(find('[data-kind="best"] h2')?.textContent).toBe("Llama 3.1 8B Instruct");
    expect(find('[data-kind="recommended"]')?.textContent).toMatch(/about \d+ words a second/);
  });

  it("gives a Chinese visitor no model that knows only English", async () => {
    await act(() => {
      change({ language: "zh-CN" });
    });
    expect(headings()).toEqual(["Qwen3 1.7B", "Qwen3.5 0.8B"]);
    expect(find("h1")?.textContent).toBe("在您自己的电脑上，私密地与 AI 对话");
  });

  it("starts the model of the card that is pressed", async () => {
    await press("#start-now");
    expect(load).toHaveBeenCalledWith({ source: DEFAULT_MODEL, options: {} });
  });

  it("takes a question before there is a model, and unfolds the others for one that is looked at", async () => {
    const field = find("#prompt") as HTMLTextAreaElement | null;
    if (field === null) throw new Error("nothing to write in");
    await act(() => {
      field.value = "What is a hearth?";
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await press("#send");
    expect(waiting.value.map(({ text }) => text)).toEqual(["What is a hearth?"]);
    expect(find("#queue-reason")?.textContent).toBe("Sent when a model runs: choose one");
    await press('#queue [aria-label="Remove the waiting message"]');
    expect(find("#queue")).toBeNull();
    await act(() => {
      plan.value = { name: "reading", source: "https://models.test/other.gguf" };
    });
    expect(find("#more-models")?.hasAttribute("open")).toBe(true);
  });
});

describe("the model to try at once", () => {
  it("goes on while a better one is fetched, which then offers its own answer", async () => {
    tellReplacements();
    const { backend, say, end } = spokenBackend();
    await act(() => {
      model.value = { name: "running", choice: { source: DEFAULT_MODEL, options: {} }, backend };
    });
    expect(find("#better")?.textContent).toContain("Qwen3 1.7B suits this device");
    await press("#get-better");
    const next = CATALOG.find(({ id }) => id === "qwen3-1.7b");
    expect(load).toHaveBeenCalledWith({ source: next?.source, options: {} });
    say("A place for a fire.");
    end();
    await send("What is a hearth?");
    await act(() => {
      const voice = spokenBackend().backend;
      model.value = { name: "running", choice: { source: next?.source ?? "", options: {} }, backend: voice };
    });
    await settle();
    expect(toast.value).toMatchObject({ text: "Qwen3 1.7B is ready.", action: { label: "Answer again with it" } });
    expect(find("#better")).toBeNull();
  });
});
