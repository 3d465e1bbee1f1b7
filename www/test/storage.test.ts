/** The warnings about storage that the browser may clear by itself. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { emptyDisk, openPage } from "./page.js";

const SAFARI =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15";
const CHROME_ON_IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0 Mobile/15E148 Safari/604.1";
const CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

beforeEach(() => {
  emptyDisk();
});

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Imports four conversations and returns the text of the message shown after each. */
async function said(
  userAgent: string,
  { persisted = false, standalone = false } = {},
): Promise<(string | undefined)[]> {
  vi.stubGlobal("addEventListener", () => undefined);
  vi.stubGlobal("matchMedia", () => ({ matches: standalone }));
  const { chat } = await openPage();
  const storage = { persisted: () => Promise.resolve(persisted) };
  vi.stubGlobal("navigator", { language: "en", userAgent, storage });
  const [{ watchStorage }, { toast, hideToast }] = await Promise.all([
    import("../src/state/storage.js"),
    import("../src/state/toast.js"),
  ]);
  await watchStorage();
  const texts: (string | undefined)[] = [];
  for (const id of ["a", "b", "c", "d"]) {
    const conversation = { id, title: id, created: 1, updated: 1, leaf: null, system: "" };
    await chat.importBundles([{ conversation, messages: [], files: [] }]);
    texts.push(toast.value?.text);
    hideToast();
  }
  return texts;
}

const NOTHING = [undefined, undefined, undefined, undefined];

describe("a visitor", () => {
  it.each([SAFARI, CHROME_ON_IPHONE])("is warned once, when there is something to lose: %s", async (userAgent) => {
    expect(await said(userAgent)).toEqual([
      undefined,
      undefined,
      expect.stringContaining("after seven days") as string,
      undefined,
    ]);
  });

  it("is not warned where nothing is cleared after a week", async () => {
    for (const userAgent of [CHROME, FIREFOX]) expect(await said(userAgent)).toEqual(NOTHING);
    emptyDisk();
    expect(await said(SAFARI, { persisted: true })).toEqual(NOTHING);
    expect(await said(SAFARI, { standalone: true })).toEqual(NOTHING);
  });
});
