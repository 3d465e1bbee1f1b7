/** Storage that never answers. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { spokenBackend } from "./backends.js";
import { said } from "./messages.js";
import { emptyDisk, openPage } from "./page.js";

afterEach(() => {
  vi.useRealTimers();
  vi.doUnmock("idb");
  vi.unstubAllGlobals();
});

describe("a database that does not open", () => {
  it("is given up for the page's memory, and closed if it opens after all", async () => {
    vi.useFakeTimers();
    let open: (db: object) => void = () => undefined;
    vi.resetModules();
    vi.doMock("idb", () => ({
      openDB: () =>
        new Promise((resolve) => {
          open = resolve;
        }),
    }));
    const { openStore } = await import("../src/store/db.js");
    const opening = openStore();
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await opening).isKept).toBe(false);
    const close = vi.fn();
    open({ close });
    await vi.advanceTimersByTimeAsync(0);
    expect(close).toHaveBeenCalledOnce();
  });

  it("holds up no answer", async () => {
    emptyDisk();
    const page = await openPage();
    const { opened } = await import("../src/state/store.js");
    vi.spyOn(await opened(), "put").mockReturnValue(new Promise(() => undefined));
    const { backend, say, end } = spokenBackend();
    page.use(backend);
    void page.chat.send("What is a hearth?");
    say("A fireplace.");
    await vi.waitFor(() => {
      expect(page.chat.answering.value?.text.value).toBe("A fireplace.");
    });
    end();
    await vi.waitFor(() => {
      expect(page.chat.path.value.at(-1)).toMatchObject({ parts: said("A fireplace."), end: "stop" });
    });
  });
});
