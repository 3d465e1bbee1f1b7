import { describe, expect, it } from "vitest";
import { dayOf, groupByDay } from "../src/lib/days.js";

const now = new Date(2026, 2, 30, 9, 30).getTime();
const at = (...[month, day, hour = 0, minute = 0]: number[]): number =>
  new Date(2026, month ?? 0, day, hour, minute).getTime();

describe("days", () => {
  it.each([
    ["today", at(2, 30, 0, 0)],
    ["today", at(2, 30, 23, 0)],
    ["yesterday", at(2, 29, 23, 59)],
    // The clock went forward within it in much of Europe.
    ["yesterday", at(2, 29, 0, 0)],
    ["week", at(2, 28, 23, 59)],
    ["week", at(2, 23, 0, 0)],
    ["month", at(2, 22, 23, 59)],
    ["month", at(1, 28, 0, 0)],
    ["older", at(1, 27, 23, 59)],
    ["older", 0],
  ])("are told apart by the calendar: %s", (day, time) => {
    expect(dayOf(time, now)).toBe(day);
  });

  it("group a list without changing its order", () => {
    const times = [at(2, 30, 9), at(2, 30, 8), at(2, 29, 1), at(0, 2), at(0, 1)];
    expect(groupByDay(times, (time) => time, now)).toEqual([
      { day: "today", items: times.slice(0, 2) },
      { day: "yesterday", items: times.slice(2, 3) },
      { day: "older", items: times.slice(3) },
    ]);
    expect(groupByDay([], Number, now)).toEqual([]);
  });
});
