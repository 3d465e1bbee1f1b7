/** Removes marks from a text that arrives in pieces. */
export class MarkFilter {
  readonly #marks: readonly string[];
  /** Text that may be the beginning of a mark. */
  #held = "";

  constructor(marks: readonly string[]) {
    this.#marks = marks;
  }

  /** Takes the next piece of text and returns what is certain, or everything if `isLast`. */
  feed(text: string, isLast: boolean): string {
    let rest = this.#held + text;
    let found = "";
    for (;;) {
      const at = rest.indexOf("<");
      if (at < 0) return this.#hold(found + rest, "");
      found += rest.slice(0, at);
      rest = rest.slice(at);
      const mark = this.#marks.find((one) => rest.startsWith(one));
      if (mark === undefined && !isLast && this.#marks.some((one) => one.startsWith(rest)))
        return this.#hold(found, rest);
      if (mark === undefined) found += "<";
      rest = rest.slice(mark?.length ?? 1);
    }
  }

  #hold(found: string, held: string): string {
    this.#held = held;
    return found;
  }
}
