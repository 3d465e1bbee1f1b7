/** The announcements of an answer to a screen reader. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Announce } from "../src/state/settings.js";
import { spokenBackend } from "./backends.js";
import { emptyDisk, openPage } from "./page.js";

beforeEach(() => {
  emptyDisk();
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout", "Date"] });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Returns the announcements, with their times, while an answer arrives, one piece every half second. */
async function hear(how: Announce, pieces: string[]) {
  const page = await openPage();
  page.settings.change({ announce: how });
  const { backend, say, end } = spokenBackend();
  page.use(backend);
  const { announced, announceAll } = await import("../src/state/announce.js");
  announceAll();
  const heard: { at: number; text: string }[] = [];
  announced.subscribe((text) => {
    if (text !== "") heard.push({ at: Date.now(), text });
  });
  await vi.advanceTimersByTimeAsync(5000);
  const sent = page.chat.send("What is a hearth?");
  await vi.advanceTimersByTimeAsync(0);
  for (const piece of pieces) {
    say(piece);
    await vi.advanceTimersByTimeAsync(500);
  }
  end();
  await sent;
  await vi.advanceTimersByTimeAsync(10_000);
  return heard;
}

const PIECES = [
  "A **hea",
  "rth is ",
  "a place",
  " for a fire. It",
  " is warm",
  ".\n\n火很",
  "暖。It is",
  " old. And",
  " then",
  " some",
];

describe("a screen reader", () => {
  it("hears each sentence once and whole, and never two changes in two seconds", async () => {
    const heard = await hear("sentences", PIECES);
    expect(heard.map(({ text }) => text).join(" ")).toBe(
      "Slow is ready. Answering… A hearth is a place for a fire. It is warm. 火很暖。It is old. And then some Answer finished.",
    );
    for (const [index, { at }] of heard.entries()) {
      if (index > 0) expect(at - (heard[index - 1]?.at ?? 0)).toBeGreaterThanOrEqual(2000);
    }
    for (const { text } of heard) expect(text).toMatch(/[.。…]$/);
  });

  it("hears only that it is finished, or nothing, where that is wished for", async () => {
    expect((await hear("end", PIECES)).map(({ text }) => text)).toEqual([
      "Slow is ready.",
      "Answering…",
      "Answer finished.",
    ]);
    expect((await hear("off", PIECES)).map(({ text }) => text)).toEqual(["Slow is ready."]);
  });
});
