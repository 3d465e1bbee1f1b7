/** Answers belong to their conversations: opening another one neither ends nor misplaces them. */
import { HearthError } from "hearth-llm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { textOf } from "../src/store/parts.js";
import { choir, type Voice } from "./backends.js";
import { emptyDisk, kept, openPage, useLocks, type Page } from "./page.js";

const [HEARTH, STOVE] = ["What is a hearth?", "What is a stove?"];

let page: Page;
let hearth: Voice;
let stove: Voice;

beforeEach(async () => {
  emptyDisk();
  page = await openPage();
  const { backend, of } = choir();
  page.use(backend);
  [hearth, stove] = [of(HEARTH), of(STOVE)];
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const shown = (): string[][] => page.chat.path.value.map((one) => [textOf(one), one.end]);
const live = (): string | undefined => page.chat.answering.value?.text.value;

/** Asks in a new conversation, and returns its id and the end of its answer. */
function ask(question: string): { id: string; sent: Promise<void> } {
  page.chat.newConversation();
  const sent = page.chat.send(question);
  return { id: page.chat.current.value?.id ?? "", sent };
}

async function stored(id: string): Promise<string[][]> {
  const all = (await kept().messages(id)).sort((a, b) => a.created - b.created);
  return all.map((one) => [textOf(one), one.end]);
}

describe("an answer", () => {
  it("continues while another conversation is open and answered, and each ends in its own", async () => {
    const first = ask(HEARTH);
    hearth.say("A place ");
    await vi.waitFor(() => {
      expect(live()).toBe("A place ");
    });
    const second = ask(STOVE);
    stove.say("A closed ");
    await vi.waitFor(() => {
      expect(live()).toBe("A closed ");
    });
    hearth.say("for a fire.");
    hearth.end();
    await first.sent;
    expect(shown()).toEqual([
      [STOVE, "stop"],
      ["", "running"],
    ]);
    expect(await stored(first.id)).toEqual([
      [HEARTH, "stop"],
      ["A place for a fire.", "stop"],
    ]);
    stove.say("one.");
    stove.end();
    await second.sent;
    expect(shown().at(-1)).toEqual(["A closed one.", "stop"]);
    await page.chat.openConversation(first.id);
    expect(shown()).toEqual(await stored(first.id));
  });

  it("is shown as it grows when its conversation is opened again, and can be stopped there", async () => {
    const { id, sent } = ask(HEARTH);
    hearth.say("A place ");
    page.chat.newConversation();
    expect([page.chat.answering.value, page.chat.canAsk.value]).toEqual([undefined, true]);
    // There is nothing to stop here.
    page.chat.stop();
    await vi.waitFor(() => {
      expect(page.chat.conversations.value).toHaveLength(1);
    });
    await page.chat.openConversation(id);
    hearth.say("for a fire");
    await vi.waitFor(() => {
      expect(live()).toBe("A place for a fire");
    });
    expect(page.chat.path.value.at(-1)?.id).toBe(page.chat.answering.value?.id);
    expect(page.chat.canAsk.value).toBe(false);
    page.chat.stop();
    await sent;
    expect(shown()).toEqual([
      [HEARTH, "stop"],
      ["A place for a fire", "stopped"],
    ]);
  });

  it("is made where it was asked for, although another conversation is opened before it begins", async () => {
    useLocks();
    page = await openPage();
    const { backend, of } = choir();
    page.use(backend);
    const { id, sent } = ask(HEARTH);
    // The lock against other tabs is not there yet.
    expect(page.chat.answering.value).toBeUndefined();
    page.chat.newConversation();
    of(HEARTH).say("A place.");
    of(HEARTH).end();
    await sent;
    expect(shown()).toEqual([]);
    expect(await stored(id)).toEqual([
      [HEARTH, "stop"],
      ["A place.", "stop"],
    ]);
  });

  it("is whole on the screen if it ends while its conversation is being read", async () => {
    const { id, sent } = ask(HEARTH);
    hearth.say("A place.");
    page.chat.newConversation();
    const read = kept().messages.bind(kept());
    let release = (): void => undefined;
    const reads = vi.spyOn(kept(), "messages").mockImplementationOnce(async (conversation) => {
      const found = structuredClone(await read(conversation));
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return found;
    });
    const opening = page.chat.openConversation(id);
    await vi.waitFor(() => {
      expect(reads).toHaveBeenCalled();
    });
    hearth.end();
    await sent;
    release();
    await opening;
    expect(shown()).toEqual([
      [HEARTH, "stop"],
      ["A place.", "stop"],
    ]);
  });

  it("stays on the screen when its conversation is renamed or told something", async () => {
    const { id, sent } = ask(HEARTH);
    hearth.say("A place.");
    await page.chat.rename(id, "Hearths");
    expect(shown().at(-1)).toEqual(["", "running"]);
    await page.chat.setSystem("Be brief.");
    expect(shown().at(-1)).toEqual(["", "running"]);
    hearth.end();
    await sent;
    expect(page.chat.current.value).toMatchObject({ title: "Hearths", system: "Be brief." });
    expect(shown().at(-1)).toEqual(["A place.", "stop"]);
  });

  it("ends with its conversation, and not with another that is deleted", async () => {
    const first = ask(HEARTH);
    const second = ask(STOVE);
    await page.chat.remove(second.id);
    await second.sent;
    hearth.say("A place.");
    await vi.waitFor(async () => {
      await page.chat.openConversation(first.id);
      expect(live()).toBe("A place.");
    });
    const undo = await page.chat.remove(first.id);
    await first.sent;
    expect(page.chat.conversations.value).toEqual([]);
    expect(await kept().conversations()).toEqual([]);
    await undo();
    expect(shown()).toEqual([[HEARTH, "stop"]]);
  });
});

describe("an answer that fails", () => {
  it("fails in its conversation alone, where it can be asked for again", async () => {
    const { id, sent } = ask(HEARTH);
    page.chat.newConversation();
    hearth.fail(new HearthError("gpu_error", "no luck"));
    await sent;
    expect([page.chat.failure.value, shown()]).toEqual([undefined, []]);
    await page.chat.openConversation(id);
    expect(page.chat.failure.value).toMatchObject({ error: { code: "gpu_error" } });
    expect(shown()).toEqual([[HEARTH, "stop"]]);
    page.chat.failure.value?.retry();
    hearth.say("A place.");
    hearth.end();
    await vi.waitFor(() => {
      expect(shown()).toEqual([
        [HEARTH, "stop"],
        ["A place.", "stop"],
      ]);
    });
    expect(page.chat.failure.value).toBeUndefined();
  });
});
