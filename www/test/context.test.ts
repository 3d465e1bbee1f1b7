/** The room in a model's context, and the ways on when it is full. */
import { HearthError, type Backend, type ChatCompletion, type ChatCompletionMessageParam } from "hearth-llm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { textOf } from "../src/store/parts.js";
import { backendOf, chunkOf } from "./backends.js";
import { emptyDisk, openPage, type Page } from "./page.js";

let page: Page;
let context: typeof import("../src/state/context.js");
let asked: (readonly ChatCompletionMessageParam[])[];

beforeEach(async () => {
  emptyDisk();
  asked = [];
  page = await openPage();
  context = await import("../src/state/context.js");
});

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Uses a model with a context of 100 tokens, which counts a token for each character. */
function use(more: Partial<Backend> = {}, local: object = {}): void {
  const backend = backendOf(async function* (question) {
    await Promise.resolve();
    if (question.startsWith("!full")) throw new HearthError("context_overflow", "the prompt needs 200 tokens");
    yield chunkOf(`Answer to ${question}`);
    yield chunkOf("", "stop");
  });
  page.use({
    ...backend,
    model: { name: "Slow", n_ctx: 100 },
    local: {
      model: { n_ctx: 100, n_ctx_train: 1000, kv_bytes: 10, weight_bytes: 1000, thought_marks: null, ...local },
      tokenize: (text: string) => Promise.resolve(new Uint32Array(text.length)),
    } as unknown as NonNullable<Backend["local"]>,
    streamChat: (params, options) => {
      asked.push(params.messages);
      return backend.streamChat(params, options);
    },
    ...more,
  });
}

const told = (): unknown[] => (asked.at(-1) ?? []).map(({ content }) => content);

describe("the use of the context", () => {
  it("is estimated for a conversation that nobody has counted, and then counted", async () => {
    use();
    expect(context.contextUse.value).toEqual({ used: 0, total: 100, isRough: false });
    await page.chat.send("abcd");
    const rough = context.contextUse.value;
    // Two messages of 4 and 14 characters, a frame around each and around the system prompt.
    expect(rough).toEqual({ used: context.roughTokens("\nabcd\nAnswer to abcd") + 18, total: 100, isRough: true });
    context.countContext();
    await vi.waitFor(() => {
      expect(context.contextUse.value?.used).toBe(20 + 18);
    });
  });

  it("counts Chinese by its characters", () => {
    expect(context.roughTokens("天空为什么是蓝色的")).toBe(9);
    expect(context.roughTokens("x".repeat(36))).toBe(10);
  });

  it("warns from three quarters on", async () => {
    use();
    await page.chat.send("short");
    expect(context.isTight.value).toBe(false);
    await page.chat.send("x".repeat(80));
    expect(context.isTight.value).toBe(true);
  });
});

describe("the oldest messages", () => {
  it("are left out in whole turns until the rest takes half of the room, and stay on the page", async () => {
    use();
    for (const question of ["One?", "Two?", "Three?", "Four?"]) await page.chat.send(question);
    await context.forgetOldest();
    const kept = page.chat.given.value;
    expect(kept[0]?.role).toBe("user");
    expect(kept.length).toBeGreaterThanOrEqual(2);
    expect(kept.length).toBeLessThan(8);
    expect(page.chat.path.value).toHaveLength(8);
    await page.chat.send("Five?");
    expect(told()).toEqual([...kept.map(textOf), "Five?"]);
  });

  it("never include the last question", async () => {
    use();
    await page.chat.send("x".repeat(400));
    expect(context.canForget.value).toBe(false);
  });
});

describe("more room", () => {
  it("is offered as far as the model was trained for and the device has room", async () => {
    use();
    expect(context.longer.value).toBe(400);
    use({}, { n_ctx_train: 250 });
    expect(context.longer.value).toBe(200);
    use({}, { n_ctx_train: 100 });
    expect(context.longer.value).toBeUndefined();
    const { device } = await import("../src/state/plan.js");
    device.value = { memory: 1025, bandwidth: undefined };
    use();
    expect(context.longer.value).toBe(200);
    device.value = { memory: 1000, bandwidth: undefined };
    expect(context.longer.value).toBeUndefined();
  });
});

describe("a summary", () => {
  it("begins a new conversation with the last turn, and the old one stays", async () => {
    const chat = vi.fn<Backend["chat"]>(({ messages }) => {
      asked.push(messages);
      const message = { role: "assistant" as const, content: "They spoke of hearths.", refusal: null };
      return Promise.resolve({ choices: [{ index: 0, message, finish_reason: "stop" }] } as unknown as ChatCompletion);
    });
    use({ chat });
    await page.chat.setSystem("Be brief.");
    await page.chat.send("One?");
    await page.chat.send("Two?");
    await page.chat.send("!full Three?");
    expect(page.chat.failure.value).toBeDefined();
    const old = page.chat.current.value?.id;
    await context.summarise();
    // The question that did not fit is not part of what is summarised.
    expect(told().slice(-2)).toEqual(["Answer to Two?", expect.stringMatching(/^Summarise our conversation/)]);
    expect(page.chat.current.value?.id).not.toBe(old);
    expect(page.chat.system.value).toBe("Be brief.\n\nSummary of the conversation so far:\n\nThey spoke of hearths.");
    expect(page.chat.path.value.map(textOf)).toEqual(["!full Three?"]);
    expect(page.chat.conversations.value).toHaveLength(2);
  });
});
