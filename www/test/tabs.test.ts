/** Tabs that are closed in the middle of an answer, and several tabs at once. */
import type { Backend, ChatCompletionChunk } from "hearth-llm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { textOf } from "../src/store/parts.js";
import { backendOf, chunkOf } from "./backends.js";
import { emptyDisk, kept, openPage, useLocks, type Page } from "./page.js";

/** Returns a backend that gives this text, and then nothing more until `end` is called. */
function slowBackend(said: string): { backend: Backend; end: () => void } {
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  async function* chunks(): AsyncGenerator<ChatCompletionChunk> {
    yield chunkOf(said);
    await ended;
    yield chunkOf("", "stop");
  }
  return { backend: backendOf(chunks), end };
}

const titles = ({ chat }: Page): string[] => chat.conversations.value.map(({ title }) => title);
const shown = ({ chat }: Page): string[][] => chat.path.value.map((one) => [textOf(one), one.end]);

beforeEach(() => {
  emptyDisk();
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a tab that ends in an answer", () => {
  it("leaves what had come, as an answer that was stopped", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const dying = await openPage();
    dying.use(slowBackend("The fire is").backend);
    void dying.chat.send("What is a hearth?");
    await vi.waitFor(() => {
      expect(dying.chat.answering.value?.text.value).toBe("The fire is");
    });
    // The interval between drafts.
    await vi.advanceTimersByTimeAsync(2000);
    const [head] = await kept().conversations();
    const messages = await kept().messages(head?.id ?? "");
    expect(messages.map((one) => [textOf(one), one.end])).toEqual([
      ["What is a hearth?", "stop"],
      ["The fire is", "running"],
    ]);

    const next = await openPage();
    await next.chat.openConversation(head?.id ?? "");
    expect(shown(next)).toEqual([
      ["What is a hearth?", "stop"],
      ["The fire is", "stopped"],
    ]);
  });
});

describe("a conversation that is deleted", () => {
  it("comes back whole, where it was, if that is wished for", async () => {
    const page = await openPage();
    for (const question of ["What is a hearth?", "What is a stove?"]) {
      const { backend, end } = slowBackend("A fireplace.");
      page.use(backend);
      page.chat.newConversation();
      const sent = page.chat.send(question);
      end();
      await sent;
    }
    const before = shown(page);
    const id = page.chat.current.value?.id ?? "";
    const undo = await page.chat.remove(id);
    expect(titles(page)).toEqual(["What is a hearth?"]);
    expect(await kept().messages(id)).toEqual([]);
    await undo();
    expect(titles(page).sort()).toEqual(["What is a hearth?", "What is a stove?"]);
    expect(shown(page)).toEqual(before);
  });
});

describe("two tabs", () => {
  async function twoTabs(): Promise<[Page, Page]> {
    const pages: [Page, Page] = [await openPage(), await openPage()];
    for (const page of pages) page.use(slowBackend("The fire").backend);
    return pages;
  }

  it("show the same, as soon as one of them changes it", async () => {
    const [here, there] = await twoTabs();
    const { backend, end } = slowBackend("A fireplace.");
    here.use(backend);
    const sent = here.chat.send("What is a hearth?");
    await vi.waitFor(() => {
      expect(titles(there)).toEqual(["What is a hearth?"]);
    });
    const id = here.chat.current.value?.id ?? "";
    await there.chat.openConversation(id);
    expect(shown(there)).toEqual([["What is a hearth?", "stop"]]);
    end();
    await sent;
    await vi.waitFor(() => {
      expect(shown(there)).toEqual([
        ["What is a hearth?", "stop"],
        ["A fireplace.", "stop"],
      ]);
    });
    await there.chat.rename(id, "Hearths");
    await vi.waitFor(() => {
      expect(titles(here)).toEqual(["Hearths"]);
      expect(here.chat.current.value?.title).toBe("Hearths");
    });
    await there.chat.remove(id);
    await vi.waitFor(() => {
      expect(titles(here)).toEqual([]);
      expect(here.chat.current.value).toBeUndefined();
    });
  });

  it("do not disturb an answer that is being made", async () => {
    const [here, there] = await twoTabs();
    const { backend, end } = slowBackend("The fire");
    here.use(backend);
    const sent = here.chat.send("What is a hearth?");
    await vi.waitFor(() => {
      expect(here.chat.answering.value?.text.value).toBe("The fire");
      expect(titles(there)).toEqual(["What is a hearth?"]);
    });
    const id = here.chat.current.value?.id ?? "";
    await there.chat.rename(id, "Hearths");
    await vi.waitFor(() => {
      expect(titles(here)).toEqual(["Hearths"]);
    });
    expect(here.chat.answering.value).toBeDefined();
    expect(here.chat.path.value.at(-1)).toMatchObject({ end: "running" });
    end();
    await sent;
    // The new name is kept.
    expect(titles(here)).toEqual(["Hearths"]);
    expect(shown(here).at(-1)).toEqual(["The fire", "stop"]);
  });

  it("show an answer of the other one as it grows, and do not answer beside it", async () => {
    useLocks();
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const [here, there] = await twoTabs();
    const { backend, end } = slowBackend("The fire");
    here.use(backend);
    const sent = here.chat.send("What is a hearth?");
    await vi.waitFor(() => {
      expect(here.chat.answering.value?.text.value).toBe("The fire");
      expect(titles(there)).toEqual(["What is a hearth?"]);
    });
    const id = here.chat.current.value?.id ?? "";
    await there.chat.openConversation(id);
    const read = vi.spyOn(kept(), "messages");
    await vi.advanceTimersByTimeAsync(2000);
    // Shown as an answer in progress, and without reading the disk.
    await vi.waitFor(() => {
      expect(shown(there).at(-1)).toEqual(["The fire", "running"]);
    });
    expect(read).not.toHaveBeenCalled();
    expect([there.chat.isElsewhere.value, there.chat.canAsk.value]).toEqual([true, false]);
    await there.chat.send("And a stove?");
    expect(shown(there)).toHaveLength(2);
    // A third tab that is opened in the meantime also shows it as in progress.
    const third = await openPage();
    await third.chat.openConversation(id);
    expect(shown(third).at(-1)).toEqual(["The fire", "running"]);
    end();
    await sent;
    await vi.waitFor(() => {
      expect(shown(there).at(-1)).toEqual(["The fire", "stop"]);
      expect(there.chat.canAsk.value).toBe(true);
      expect(shown(third).at(-1)).toEqual(["The fire", "stop"]);
    });
  });
});

describe("a question whose tab has not answered it", () => {
  /** Asks in one tab, opens the conversation in another; returns the latter. */
  async function askedElsewhere(backend: Backend): Promise<Page> {
    const here = await openPage();
    here.use(backend);
    const there = await openPage();
    const { keepAnswering } = await import("../src/state/interrupted.js");
    keepAnswering();
    const { backend: other, end } = slowBackend("A fireplace.");
    end();
    there.use(other);
    void here.chat.send("What is a hearth?");
    await vi.waitFor(() => {
      expect(titles(there)).toEqual(["What is a hearth?"]);
    });
    const id = here.chat.current.value?.id ?? "";
    await there.chat.openConversation(id);
    expect(there.chat.isElsewhere.value).toBe(true);
    return there;
  }

  it("is answered by another one that shows it, once that tab is closed", async () => {
    const close = useLocks();
    const there = await askedElsewhere(slowBackend("").backend);
    close();
    await vi.waitFor(() => {
      expect(shown(there)).toEqual([
        ["What is a hearth?", "stop"],
        ["A fireplace.", "stop"],
      ]);
    });
  });

  it("is left to it if the answer failed there", async () => {
    useLocks();
    let fail = (): void => undefined;
    const failed = new Promise<void>((_, reject) => {
      fail = () => {
        reject(new Error("a fault"));
      };
    });
    async function* chunks(): AsyncGenerator<ChatCompletionChunk> {
      await failed;
      yield chunkOf("");
    }
    const there = await askedElsewhere(backendOf(chunks));
    const read = vi.spyOn(kept(), "messages");
    fail();
    await vi.waitFor(() => {
      expect(there.chat.isElsewhere.value).toBe(false);
      // By both who look: the one that shows it, and the one that would take it over.
      expect(read.mock.calls.length).toBeGreaterThanOrEqual(2);
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(shown(there)).toEqual([["What is a hearth?", "stop"]]);
  });
});

describe("a conversation that is chosen", () => {
  it("is the last one that was, however long the others take to read", async () => {
    const page = await openPage();
    for (const id of ["a", "b"]) {
      const conversation = { id, title: id, created: 1, updated: 1, leaf: null, system: "" };
      await page.chat.importBundles([{ conversation, messages: [], files: [] }]);
    }
    const read = kept().messages.bind(kept());
    let release = (): void => undefined;
    vi.spyOn(kept(), "messages").mockImplementationOnce(async (id) => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return read(id);
    });
    const slow = page.chat.openConversation("a");
    await page.chat.openConversation("b");
    release();
    await slow;
    expect(page.chat.current.value?.id).toBe("b");
  });
});
