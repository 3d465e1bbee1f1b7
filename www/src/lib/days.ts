/** Groups of a list by the day: today, yesterday, and longer ago. */
export type Day = "today" | "yesterday" | "week" | "month" | "older";

/** Returns the group of a time, by the calendar of the visitor. */
export function dayOf(time: number, now: number): Day {
  const since = (days: number): number => {
    const begin = new Date(now);
    begin.setHours(0, 0, 0, 0);
    // By the date, since a day may have 23 or 25 hours.
    begin.setDate(begin.getDate() - days);
    return begin.getTime();
  };
  if (time >= since(0)) return "today";
  if (time >= since(1)) return "yesterday";
  if (time >= since(7)) return "week";
  return time >= since(30) ? "month" : "older";
}

/** Puts the items of a list, the newest first, into groups in the same order. */
export function groupByDay<T>(
  items: readonly T[],
  timeOf: (item: T) => number,
  now: number,
): { day: Day; items: T[] }[] {
  const groups: { day: Day; items: T[] }[] = [];
  for (const item of items) {
    const day = dayOf(timeOf(item), now);
    const last = groups.at(-1);
    if (last?.day === day) last.items.push(item);
    else groups.push({ day, items: [item] });
  }
  return groups;
}
