// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Answering } from "../src/state/answering.js";
import { setAnswering } from "../src/state/answers.js";
import { keepAwake } from "../src/state/wake.js";

let page: EventTarget & { visibilityState: string };
let held: number;

beforeEach(() => {
  held = 0;
  page = Object.assign(new EventTarget(), { visibilityState: "visible" });
  vi.stubGlobal("document", page);
  const request = (): Promise<unknown> => {
    held++;
    const lock = {
      released: false,
      release: () => {
        if (!lock.released) held--;
        lock.released = true;
        return Promise.resolve();
      },
    };
    page.addEventListener("hide", () => void lock.release());
    return Promise.resolve(lock);
  };
  vi.stubGlobal("navigator", { wakeLock: { request } });
});

afterEach(() => {
  setAnswering("a", undefined);
  vi.unstubAllGlobals();
});

it("holds the screen awake while there is an answer, also after the tab was hidden", async () => {
  keepAwake();
  expect(held).toBe(0);
  const running: unknown = {};
  setAnswering("a", running as Answering);
  await vi.waitFor(() => {
    expect(held).toBe(1);
  });
  // The browser takes it away from a hidden tab.
  page.visibilityState = "hidden";
  page.dispatchEvent(new Event("hide"));
  page.dispatchEvent(new Event("visibilitychange"));
  await Promise.resolve();
  expect(held).toBe(0);
  page.visibilityState = "visible";
  page.dispatchEvent(new Event("visibilitychange"));
  await vi.waitFor(() => {
    expect(held).toBe(1);
  });
  setAnswering("a", undefined);
  await vi.waitFor(() => {
    expect(held).toBe(0);
  });
});
