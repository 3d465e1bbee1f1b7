/**
 * Takes a model's thoughts apart from its answer: what it writes between two marks before anything else, `<think>` and
 * `</think>` with Qwen 3, DeepSeek R1 and their like. Marks may come in pieces.
 */
import { beginningOf } from "../tools/parts.js";
import type { ThoughtMarks } from "../core/wasm-contract.js";

/** Where nobody says what the model's template spells; nothing else begins an answer like this. */
const KNOWN: ThoughtMarks[] = [
  { open: "<think>", close: "</think>" },
  { open: "[THINK]", close: "[/THINK]" },
];
/** Blanks before thoughts that are waited for at most. */
const MOST_BLANKS = 256;

export interface Parts {
  reasoning: string;
  content: string;
}

export class ReasoningSplit {
  #marks: ThoughtMarks[];
  /** Before the first character, behind the opening mark, among thoughts, between them and the answer, in the answer. */
  #state: "start" | "opened" | "inside" | "after" | "content" = "start";
  /** What may be the beginning of a mark, or space that counts only if something follows. */
  #held = "";

  /** `inThoughts`: the opening mark is the prompt's. `marks`: those of the model's template. */
  constructor(inThoughts = false, marks?: ThoughtMarks | null) {
    this.#marks = marks ? [marks] : KNOWN;
    if (inThoughts) this.#state = "opened";
  }

  /** Takes the next piece of text; gives what is known of it. With `isLast`, all of it. */
  feed(text: string, isLast: boolean): Parts {
    const parts: Parts = { reasoning: "", content: "" };
    let rest = this.#held + text;
    this.#held = "";
    if (this.#state === "start") rest = this.#begin(rest, isLast, "content");
    // A model that is told to think may say so again.
    if (this.#state === "opened") rest = this.#begin(rest, isLast, "inside");
    if (this.#state === "inside") {
      const ends = this.#marks.map(({ close }) => ({ close, at: rest.indexOf(close) })).filter(({ at }) => at >= 0);
      const [end] = ends.sort((a, b) => a.at - b.at);
      if (end !== undefined) {
        parts.reasoning = rest.slice(0, end.at);
        rest = rest.slice(end.at + end.close.length);
        this.#state = "after";
      } else {
        const closes = this.#marks.map(({ close }) => close);
        const held = isLast ? 0 : beginningOf(closes, rest);
        parts.reasoning = rest.slice(0, rest.length - held);
        this.#held = rest.slice(rest.length - held);
        return parts;
      }
    }
    if (this.#state === "after") {
      rest = rest.trimStart();
      if (rest !== "") this.#state = "content";
    }
    if (this.#state === "content") parts.content = rest;
    return parts;
  }

  /** Takes an opening mark off; gives what follows it, or all where there is none, for the state `otherwise`. */
  #begin(text: string, isLast: boolean, otherwise: "content" | "inside"): string {
    const visible = text.trimStart();
    const mark = this.#marks.find(({ open }) => visible.startsWith(open));
    const isUnsure = text.length < MOST_BLANKS && this.#marks.some(({ open }) => open.startsWith(visible));
    if (mark === undefined) {
      if (isUnsure && !isLast) {
        this.#held = text;
        return "";
      }
      this.#state = otherwise;
      return text;
    }
    const inside = visible.slice(mark.open.length);
    // The line's end behind the mark is the mark's.
    if (inside === "" && !isLast) {
      this.#held = text;
      return "";
    }
    this.#marks = [mark];
    this.#state = otherwise === "content" ? "opened" : "inside";
    return inside.startsWith("\n") ? inside.slice(1) : inside;
  }
}
