/**
 * Takes a model's thoughts apart from its answer: what it writes between `<think>` and `</think>` before anything else, as
 * Qwen 3, DeepSeek R1 and their like do. Tags may come in pieces.
 */
import { beginningOf } from "./tools/parts.js";

const OPEN = "<think>";
const CLOSE = "</think>";

export interface Parts {
  reasoning: string;
  content: string;
}

export class ReasoningSplit {
  /** Before the first character, among thoughts, between them and the answer, in the answer. */
  #state: "start" | "inside" | "after" | "content" = "start";
  /** What may be the beginning of a tag, or space that counts only if something follows. */
  #held = "";

  /** `inThoughts`: the opening tag is the prompt's. */
  constructor(inThoughts = false) {
    if (inThoughts) this.#state = "inside";
  }

  /** Takes the next piece of text; gives what is known of it. With `isLast`, all of it. */
  feed(text: string, isLast: boolean): Parts {
    const parts: Parts = { reasoning: "", content: "" };
    let rest = this.#held + text;
    this.#held = "";
    if (this.#state === "start") rest = this.#begin(rest, isLast);
    if (this.#state === "inside") {
      const end = rest.indexOf(CLOSE);
      if (end >= 0) {
        parts.reasoning = rest.slice(0, end);
        rest = rest.slice(end + CLOSE.length);
        this.#state = "after";
      } else {
        const held = isLast ? 0 : beginningOf([CLOSE], rest);
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

  /** Decides whether there are thoughts; gives what follows the tag, or all. */
  #begin(text: string, isLast: boolean): string {
    const visible = text.trimStart();
    if (visible.startsWith(OPEN)) {
      const inside = visible.slice(OPEN.length);
      // The line's end behind the tag is the tag's.
      if (inside === "" && !isLast) {
        this.#held = text;
        return "";
      }
      this.#state = "inside";
      return inside.startsWith("\n") ? inside.slice(1) : inside;
    }
    if (!isLast && OPEN.startsWith(visible)) {
      this.#held = text;
      return "";
    }
    this.#state = "content";
    return text;
  }
}
