// @vitest-environment happy-dom
/** Keys for the whole page, and the keyboard on a screen. */
import { render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { current, newConversation } from "../src/state/chat.js";
import { App } from "../src/ui/App.js";
import { dialog } from "../src/ui/dialogs.js";
import { watchKeyboard } from "../src/ui/dock.js";
import { watchShortcuts } from "../src/ui/shortcuts.js";
import { isSidebarOpen } from "../src/ui/Sidebar.js";

vi.mock(import("hearth-llm"), async (original) => ({
  ...(await original()),
  canRun: () => new Promise<never>(() => undefined),
}));

let isNarrow: boolean;
let end: () => void;

beforeEach(async () => {
  isNarrow = false;
  vi.stubGlobal("matchMedia", () => ({ matches: isNarrow }));
  vi.stubGlobal("requestAnimationFrame", (task: () => void) => {
    task();
    return 0;
  });
  await act(() => {
    render(<App />, document.body);
  });
  end = watchShortcuts();
});

afterEach(async () => {
  end();
  await act(() => {
    dialog.value = undefined;
    isSidebarOpen.value = false;
    render(null, document.body);
    newConversation();
  });
  vi.unstubAllGlobals();
});

/** Presses a key; returns whether the browser's own use of it was prevented. */
async function press(key: string, options: KeyboardEventInit = {}): Promise<boolean> {
  const event = new KeyboardEvent("keydown", { key, ctrlKey: true, bubbles: true, cancelable: true, ...options });
  await act(() => {
    document.activeElement?.dispatchEvent(event);
  });
  return event.defaultPrevented;
}

const focused = (): string => document.activeElement?.id ?? "";

it("lead to the search, which is in the sidebar on narrow screens", async () => {
  expect(await press("k")).toBe(true);
  expect([focused(), isSidebarOpen.value]).toEqual(["search", false]);
  isNarrow = true;
  expect(await press("K", { ctrlKey: false, metaKey: true })).toBe(true);
  expect([focused(), isSidebarOpen.value]).toEqual(["search", true]);
});

it("begin a new chat, in its field", async () => {
  expect(await press("O", { shiftKey: true })).toBe(true);
  expect([focused(), current.value]).toEqual(["prompt", undefined]);
});

it("are left to dialogs, to input methods, and to the browser", async () => {
  for (const options of [
    { altKey: true },
    { metaKey: true },
    { ctrlKey: false },
    { shiftKey: true },
    { isComposing: true },
  ]) {
    expect(await press("k", options)).toBe(false);
  }
  expect(await press("o")).toBe(false);
  dialog.value = "trust";
  expect(await press("k")).toBe(false);
});

it("the field stands above a keyboard on the screen, but not for a page that is enlarged", () => {
  const viewport = Object.assign(new EventTarget(), { height: innerHeight, offsetTop: 0, scale: 1 });
  vi.stubGlobal("visualViewport", viewport);
  watchKeyboard();
  const covered = (height: number, scale = 1): string => {
    Object.assign(viewport, { height, scale }).dispatchEvent(new Event("resize"));
    return document.documentElement.style.getPropertyValue("--keyboard");
  };
  expect(covered(innerHeight - 300)).toBe("300px");
  expect(covered(innerHeight - 300, 2)).toBe("0px");
  expect(covered(innerHeight)).toBe("0px");
  vi.stubGlobal("visualViewport", null);
  expect(watchKeyboard).not.toThrow();
});
