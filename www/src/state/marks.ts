/** Marks of the conversations that this tab answers. They outlast a reload and a crash, but not the tab. */

const KEY = "hearth.answering";

type Marks = Record<string, "begun" | "again">;

/** Returns the conversations whose answers were interrupted and are not yet tried again, the last one first. */
export function interrupted(): string[] {
  const marks = read();
  for (const [id, mark] of Object.entries(marks)) if (mark === "again") forgetAnswering(id);
  return Object.keys(marks)
    .filter((id) => marks[id] === "begun")
    .reverse();
}

export function markAnswering(id: string): void {
  write({ [id]: "begun", ...read() });
}

/** Notes that an interrupted answer goes on: if the tab ends again, it does not. */
export function tried(id: string): void {
  write({ ...read(), [id]: "again" });
}

export function forgetAnswering(id: string): void {
  write(Object.fromEntries(Object.entries(read()).filter(([other]) => other !== id)));
}

function read(): Marks {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Marks;
  } catch {
    // Refused, or another page's.
    return {};
  }
}

function write(marks: Marks): void {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(marks));
  } catch {
    // Refused: a reload then interrupts answers for good.
  }
}
