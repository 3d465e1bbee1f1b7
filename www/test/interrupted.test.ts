/**
 * Answers that a reload or a crash has interrupted, on the real package with the fake core: another page goes on with the
 * tokens that would have come, and none is lost or comes twice.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { create, useFakeCore } from "../../pkg/test/engine-support.js";
import { ANSWER } from "../../pkg/test/fake-answer.js";
import { fake } from "../../pkg/test/fake-wasm.js";
import type { Message } from "../src/store/tree.js";
import { textOf } from "../src/store/parts.js";
import { emptyDisk, kept, openPage, type Page } from "./page.js";

useFakeCore();

const WORDS = Array.from({ length: 12 }, (_, i) => `word${String(i)}`).join(" ");
const WAIT = { timeout: 20_000 };
const QUESTION = `!echo ${WORDS}`;

/** Storage that outlasts a reload of the tab. */
let session: Map<string, string>;

beforeEach(() => {
  emptyDisk();
  session = new Map();
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
});

afterEach(() => {
  // Generations of tabs that are gone.
  fake.liveGenerations = 0;
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function reload(search = ""): Promise<Page & { resume: () => Promise<void>; awaited: () => string | undefined }> {
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => session.get(key) ?? null,
    setItem: (key: string, value: string) => session.set(key, value),
  });
  const page = await openPage(search);
  const { awaited, keepAnswering, resumeInterrupted } = await import("../src/state/interrupted.js");
  keepAnswering();
  return { ...page, resume: resumeInterrupted, awaited: () => awaited.value };
}

async function stored(): Promise<Message[]> {
  const [head] = await kept().conversations();
  return (await kept().messages(head?.id ?? "")).sort((a, b) => a.created - b.created);
}

/** Asks in a tab that ends after some words and the save of a draft, or before the first word; returns the request. */
async function interrupt(words: number, search = ""): Promise<typeof fake.request> {
  const page = await reload(search);
  page.use((await create()).backend);
  stallAfter(words);
  void page.chat.send(QUESTION);
  await stalled(page, words);
  return fake.request;
}

/** Lets an answer come to nothing more once it has some words, however slow the machine is to look at them. */
function stallAfter(words: number): void {
  fake.stallAt = words === 0 ? -1 : words;
}

/** Waits for the answer's last word before the stall, and for the save of a draft. */
async function stalled({ chat }: Page, words: number): Promise<void> {
  const hasCome = (): void => {
    const said = chat.answering.value?.text.value;
    expect(said === undefined ? -1 : said.split(" ").filter(Boolean).length).toBeGreaterThanOrEqual(words);
  };
  await vi.waitFor(hasCome, WAIT);
  await vi.advanceTimersByTimeAsync(2000);
}

/** Opens the tab again, and gives it a model. */
async function goOn(): Promise<Awaited<ReturnType<typeof reload>>> {
  const page = await reload();
  await page.resume();
  fake.stallAt = Number.POSITIVE_INFINITY;
  page.use((await create()).backend);
  return page;
}

const last = ({ chat }: Page): string[] => {
  const message = chat.path.value.at(-1);
  return message === undefined ? [] : [textOf(message), message.end];
};

async function ended(page: Page): Promise<void> {
  const isOver = (): void => {
    expect(last(page)[1]).toBe("stop");
  };
  await vi.waitFor(isOver, WAIT);
}

describe("an answer that was interrupted", () => {
  it("goes on by itself with the tokens that would have come, whatever the settings are now", async () => {
    const asked = await interrupt(4, "?temperature=0.9");
    const [, draft] = await stored();
    const ids = draft?.journal?.ids ?? [];
    expect(ids.length).toBeGreaterThanOrEqual(4);
    expect(draft).toMatchObject({ end: "running" });

    const page = await reload();
    await page.resume();
    expect(page.awaited()).toBe(draft?.conversation);
    expect(last(page)).toEqual([WORDS.split(" ").slice(0, ids.length).join(" "), "stopped"]);
    fake.stallAt = Number.POSITIVE_INFINITY;
    page.use((await create()).backend);
    await ended(page);
    expect(last(page)[0]).toBe(WORDS);
    expect(page.awaited()).toBeUndefined();
    expect(asked?.seed).toEqual(expect.any(Number));
    const { seed, temperature, messages } = asked ?? {};
    expect(fake.request).toMatchObject({ seed, temperature, resume_ids: ids });
    expect(fake.request?.messages).toEqual(messages);
    const all = await stored();
    expect(all.map(textOf)).toEqual([QUESTION, WORDS]);
    expect(all[1]).not.toHaveProperty("journal");
    expect(session.get("hearth.answering")).toBe("{}");
  });

  it("begins by itself if there was no word yet", async () => {
    await interrupt(0);
    expect(await stored()).toHaveLength(1);
    const page = await goOn();
    await ended(page);
    expect(last(page)[0]).toBe(WORDS);
  });

  it("goes on by itself once, and from then on when the visitor says so", async () => {
    await interrupt(3);
    const again = await reload();
    await again.resume();
    stallAfter(6);
    again.use((await create()).backend);
    await stalled(again, 6);
    const third = await goOn();
    expect(third.awaited()).toBeUndefined();
    const [head] = third.chat.conversations.value;
    await third.chat.openConversation(head?.id ?? "");
    const answer = third.chat.path.value.at(-1);
    expect(answer).toMatchObject({ end: "stopped", journal: { ids: expect.any(Array) as number[] } });
    if (answer !== undefined) await third.chat.goOn(answer);
    expect(last(third)).toEqual([WORDS, "stop"]);
    expect(fake.request?.resume_ids?.length).toBeGreaterThanOrEqual(6);
  });

  it("goes on within an answer that was continued before", async () => {
    const page = await reload("?max_tokens=2");
    page.use((await create()).backend);
    await page.chat.send(QUESTION);
    const cut = page.chat.path.value.at(-1);
    expect(cut).toMatchObject({ end: "length" });
    const { params } = await import("../src/params.js");
    delete params.sampling.max_tokens;
    stallAfter(4);
    if (cut !== undefined) void page.chat.goOn(cut);
    await stalled(page, 4);
    const next = await goOn();
    await ended(next);
    expect(fake.request).toMatchObject({ continue_final_message: true, resume_ids: expect.any(Array) as number[] });
    expect(fake.request?.messages?.at(-1)).toMatchObject({ role: "assistant", content: "word0 word1" });
    // What the fake core says after a text that is not a question.
    expect(last(next)[0]).toBe(`word0 word1${ANSWER}`);
  });

  it("waits for the visitor if another model is there, and goes on from its text", async () => {
    await interrupt(4);
    const [question, draft] = await stored();
    const [head] = await kept().conversations();
    if (draft?.journal === undefined || question === undefined || head === undefined) throw new Error("no journal");
    await kept().put(head, [question, { ...draft, journal: { ...draft.journal, model: "another" } }]);
    const page = await goOn();
    await vi.waitFor(() => {
      expect(page.awaited()).toBeUndefined();
    });
    expect(last(page)[1]).toBe("stopped");
    const answer = page.chat.path.value.at(-1);
    if (answer !== undefined) await page.chat.goOn(answer);
    expect(fake.request).toMatchObject({ continue_final_message: true });
    expect(fake.request).not.toHaveProperty("resume_ids");
  });

  it("goes on from its text if its tokens are refused", async () => {
    await interrupt(4);
    const [question, draft] = await stored();
    const [head] = await kept().conversations();
    if (draft?.journal === undefined || question === undefined || head === undefined) throw new Error("no journal");
    await kept().put(head, [question, { ...draft, journal: { ...draft.journal, ids: [-1] } }]);
    const page = await goOn();
    await ended(page);
    expect(fake.request).toMatchObject({ continue_final_message: true });
    expect(fake.request?.messages?.at(-1)).toMatchObject({ role: "assistant", content: textOf(draft) });
  });

  it("stays where it was in a tab that was closed", async () => {
    await interrupt(4);
    session.clear();
    const page = await goOn();
    expect([page.awaited(), page.chat.current.value]).toEqual([undefined, undefined]);
  });
});
