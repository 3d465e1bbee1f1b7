/** Thoughts before an answer: timed, kept with it, and left out if the visitor wants that and the model can. */
import { HearthError, type Backend, type ChatCompletionChunk } from "hearth-llm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fromFile, toJson } from "../src/store/exchange.js";
import { textOf } from "../src/store/parts.js";
import { backendOf, chunkOf } from "./backends.js";
import { emptyDisk, openPage, type Page } from "./page.js";

let page: Page;
let asked: (boolean | null | undefined)[];
/** Milliseconds on the page's clock. */
let now: number;

beforeEach(async () => {
  emptyDisk();
  asked = [];
  now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  page = await openPage();
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function thoughtOf(reasoning_content: string): ChatCompletionChunk {
  const chunk = chunkOf("");
  return { ...chunk, choices: [{ index: 0, delta: { reasoning_content }, logprobs: null, finish_reason: null }] };
}

/** Uses a model that thinks for a while; `refuses`: its template has no switch for that. */
function think({ marks = true, refuses = false } = {}): void {
  const backend = backendOf(async function* () {
    yield thoughtOf("Hm.\n");
    await Promise.resolve();
    now += 60;
    yield thoughtOf("A place.");
    yield chunkOf("It is a place.");
    now += 200;
    yield chunkOf("", "stop");
  });
  const local = { model: { thought_marks: marks ? { open: "<think>", close: "</think>" } : null } };
  page.use({
    ...backend,
    local: local as unknown as NonNullable<Backend["local"]>,
    streamChat: (params, options) => {
      asked.push(params.enable_thinking);
      if (refuses && params.enable_thinking !== undefined) {
        return Promise.reject(new HearthError("invalid_request", "invalid request: enable_thinking must be absent"));
      }
      return backend.streamChat(params, options);
    },
  });
}

describe("the thoughts", () => {
  it("are timed up to the first word of the answer, and go with it into files", async () => {
    think();
    await page.chat.send("What is a hearth?");
    const answer = page.chat.path.value.at(-1);
    expect([answer && textOf(answer), answer?.reasoning]).toEqual(["It is a place.", "Hm.\nA place."]);
    expect(answer?.thought).toBeCloseTo(0.06);
    const [bundle] = fromFile(await (await toJson(await page.chat.bundles())).text());
    expect(bundle?.messages.at(-1)?.thought).toBe(answer?.thought);
  });

  it("are left out where the visitor wants that, and only of models that have any", async () => {
    page.settings.change({ thinks: false });
    think();
    await page.chat.send("One?");
    think({ marks: false });
    await page.chat.send("Two?");
    page.settings.change({ thinks: true });
    think();
    await page.chat.send("Three?");
    expect(asked).toEqual([false, undefined, undefined]);
  });

  it("stay if the template has no switch: the question is asked again without, and the switch is gone", async () => {
    const { canSwitch } = await import("../src/state/thinking.js");
    page.settings.change({ thinks: false });
    think({ refuses: true });
    expect(canSwitch.value).toBe(true);
    await page.chat.send("One?");
    expect(page.chat.failure.value).toBeUndefined();
    await page.chat.send("Two?");
    expect(asked).toEqual([false, undefined, undefined]);
    expect(canSwitch.value).toBe(false);
  });
});
