/** The text being written when the page is closed, or another conversation is opened. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { spokenBackend } from "./backends.js";
import { emptyDisk, kept, openPage } from "./page.js";

beforeEach(() => {
  emptyDisk();
});

afterEach(() => {
  vi.unstubAllGlobals();
});

async function open() {
  vi.stubGlobal("addEventListener", () => undefined);
  const page = await openPage();
  const drafts = await import("../src/state/draft.js");
  drafts.keepDrafts();
  return { ...page, ...drafts };
}

describe("a draft", () => {
  it("is there again after a reload, and gone once it is sent", async () => {
    const before = await open();
    before.write("What is a h");
    await vi.waitFor(async () => {
      expect(await kept().draft("")).toBe("What is a h");
    });
    const after = await open();
    await vi.waitFor(() => {
      expect(after.draft.value).toBe("What is a h");
    });
    after.write("");
    await vi.waitFor(async () => {
      expect(await kept().draft("")).toBe("");
    });
  });

  it("stays with its conversation, which takes it along when it is deleted", async () => {
    const { chat, use, draft, write } = await open();
    const { backend, end } = spokenBackend();
    use(backend);
    const sent = chat.send("What is a hearth?");
    const id = chat.current.value?.id ?? "";
    end();
    await sent;
    write("And a stove?");
    chat.newConversation();
    expect(draft.value).toBe("");
    write("Something else");
    await chat.openConversation(id);
    await vi.waitFor(() => {
      expect(draft.value).toBe("And a stove?");
    });
    await chat.remove(id);
    await vi.waitFor(() => {
      expect(draft.value).toBe("Something else");
    });
    expect(await kept().draft(id)).toBe("");
  });

  it("is not written over by an older one that is still being read", async () => {
    const before = await open();
    before.write("old");
    await vi.waitFor(async () => {
      expect(await kept().draft("")).toBe("old");
    });
    const after = await open();
    after.write("new");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(after.draft.value).toBe("new");
  });
});
