/** Messages that wait for the end of an answer, or for a model. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { textOf } from "../src/store/parts.js";
import { choir, type Voice } from "./backends.js";
import { emptyDisk, kept, openPage, type Page } from "./page.js";

const [FIRST, SECOND, THIRD] = ["What is a hearth?", "And a stove?", "And a fire?"];

let page: Page;
let queue: typeof import("../src/state/queue.js");
let voices: (question: string) => Voice;
let start: () => void;

beforeEach(async () => {
  emptyDisk();
  vi.stubGlobal("addEventListener", () => undefined);
  page = await openPage();
  queue = await import("../src/state/queue.js");
  queue.keepQueue();
  const { backend, of } = choir();
  voices = of;
  start = () => {
    page.use(backend);
  };
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const shown = (): string[] => page.chat.path.value.map(textOf);
const waiting = (): string[] => queue.waiting.value.map(({ text }) => text);

async function answered(question: string, answer: string): Promise<void> {
  voices(question).say(answer);
  voices(question).end();
  await vi.waitFor(async () => {
    const all = await Promise.all(page.chat.conversations.value.map(({ id }) => kept().messages(id)));
    expect(all.flat().map(textOf)).toContain(answer);
  });
}

describe("a message", () => {
  it("is sent at once if it can be, and waits while another one is answered", async () => {
    start();
    expect(queue.sendOrQueue(FIRST, [])).toBe(true);
    expect(queue.sendOrQueue(SECOND, [])).toBe(false);
    expect(queue.sendOrQueue(THIRD, [])).toBe(false);
    expect([shown().slice(0, 1), waiting()]).toEqual([[FIRST], [SECOND, THIRD]]);
    const [second] = queue.waiting.value;
    if (second !== undefined) queue.takeBack(second);
    await answered(FIRST, "A place for a fire.");
    await vi.waitFor(() => {
      expect(waiting()).toEqual([]);
    });
    await answered(THIRD, "Heat and light.");
    expect(shown()).toEqual([FIRST, "A place for a fire.", THIRD, "Heat and light."]);
  });

  it("waits for a model, and begins one conversation with all that were written", async () => {
    queue.sendOrQueue(FIRST, []);
    queue.sendOrQueue(SECOND, []);
    expect([shown(), waiting()]).toEqual([[], [FIRST, SECOND]]);
    start();
    await answered(FIRST, "A place for a fire.");
    await answered(SECOND, "A closed one.");
    expect(page.chat.conversations.value).toHaveLength(1);
    expect(shown()).toEqual([FIRST, "A place for a fire.", SECOND, "A closed one."]);
  });

  it("is sent in its own conversation, although another one is on the screen", async () => {
    start();
    queue.sendOrQueue(FIRST, []);
    queue.sendOrQueue(SECOND, []);
    const id = page.chat.current.value?.id ?? "";
    page.chat.newConversation();
    expect(waiting()).toEqual([]);
    await answered(FIRST, "A place for a fire.");
    await answered(SECOND, "A closed one.");
    expect([shown(), page.chat.conversations.value.length]).toEqual([[], 1]);
    await page.chat.openConversation(id);
    expect(shown()).toEqual([FIRST, "A place for a fire.", SECOND, "A closed one."]);
  });

  it("is held after a failure until the visitor sends it", async () => {
    start();
    queue.sendOrQueue(FIRST, []);
    queue.sendOrQueue(SECOND, []);
    voices(FIRST).fail(new Error("no luck"));
    await vi.waitFor(() => {
      expect(page.chat.failure.value).toBeDefined();
    });
    expect(waiting()).toEqual([SECOND]);
    queue.sendNext();
    expect(waiting()).toEqual([]);
    await answered(SECOND, "A closed one.");
    expect(shown()).toEqual([FIRST, SECOND, "A closed one."]);
  });
});
