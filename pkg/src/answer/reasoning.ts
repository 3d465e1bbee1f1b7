/**
 * Splits a model's thoughts from its answer. Thoughts come first, between two marks: `<think>` and `</think>` in Qwen
 * 3, DeepSeek R1 and similar models. A mark may arrive in pieces.
 */
import { beginningOf } from "../tools/parts.js";
import type { ThoughtMarks } from "../core/wasm-contract.js";

/** Marks to try if the model's template does not say which it uses; no ordinary answer begins with them. */
const KNOWN: ThoughtMarks[] = [
  { open: "<think>", close: "</think>" },
  { open: "[THINK]", close: "[/THINK]" },
];
/** Maximum number of whitespace characters to skip while waiting for an opening mark. */
const MOST_BLANKS = 256;

export interface Parts {
  reasoning: string;
  content: string;
}

export class ReasoningSplit {
  #marks: ThoughtMarks[];
  /**
   * Position: before the first character, after the opening mark, in the thoughts, between thoughts and answer, in the
   * answer.
   */
  #state: "start" | "opened" | "inside" | "after" | "content" = "start";
  /** Text that may be the beginning of a mark, or whitespace that counts only if more text follows. */
  #held = "";

  /**
   * Creates a splitter. `inThoughts`: the prompt already contains the opening mark. `marks`: the marks of the model's
   * template.
   */
  constructor(inThoughts = false, marks?: ThoughtMarks | null) {
    this.#marks = marks ? [marks] : KNOWN;
    if (inThoughts) this.#state = "opened";
  }

  /** Takes the next piece of text and returns the parts that are certain, or everything if `isLast`. */
  feed(text: string, isLast: boolean): Parts {
    const parts: Parts = { reasoning: "", content: "" };
    let rest = this.#held + text;
    this.#held = "";
    if (this.#state === "start") rest = this.#begin(rest, isLast, "content");
    // A model may repeat the opening mark that the prompt already contains.
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

  /**
   * Removes an opening mark and returns the text after it. Without a mark, returns all text and enters the state
   * `otherwise`.
   */
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
    // A newline after the mark belongs to the mark.
    if (inside === "" && !isLast) {
      this.#held = text;
      return "";
    }
    this.#marks = [mark];
    this.#state = otherwise === "content" ? "opened" : "inside";
    return inside.startsWith("\n") ? inside.slice(1) : inside;
  }
}
