/**
 * Splits a model's thoughts from its answer. Thoughts come first, between two marks: `<think>` and `</think>` in Qwen
 * 3, DeepSeek R1 and similar models. Some models think again after a text or a call. A mark may arrive in pieces.
 */
import { beginningOf } from "../tools/parts.js";
import type { ThoughtMarks } from "../core/wasm-contract.js";
import { LaterThoughts } from "./later-thoughts.js";

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
   * answer, after a later opening mark.
   */
  #state: "start" | "opened" | "inside" | "after" | "content" | "again" = "start";
  /** Text that may be the beginning of a mark, or whitespace that counts only if more text follows. */
  #held = "";
  #later: LaterThoughts | undefined;

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
    let rest: string | undefined = this.#held + text;
    this.#held = "";
    while (rest !== undefined) rest = this.#step(rest, isLast, parts);
    return parts;
  }

  /** Reads the text up to the next change of state; returns what follows, or undefined if all was read or held. */
  #step(text: string, isLast: boolean, parts: Parts): string | undefined {
    switch (this.#state) {
      case "start":
        return this.#begin(text, isLast, "content");
      // A model may repeat the opening mark that the prompt already contains.
      case "opened":
        return this.#begin(text, isLast, "inside");
      case "inside":
        return this.#inside(text, isLast, parts);
      case "after": {
        const visible = text.trimStart();
        if (visible === "") return undefined;
        this.#later = undefined;
        this.#state = "content";
        return visible;
      }
      case "content":
        return this.#content(text, isLast, parts);
      case "again":
        if (text === "") return undefined;
        this.#state = "inside";
        return text.startsWith("\n") ? text.slice(1) : text;
    }
  }

  #inside(text: string, isLast: boolean, parts: Parts): string | undefined {
    const ends = this.#marks.map((mark) => ({ mark, at: text.indexOf(mark.close) })).filter(({ at }) => at >= 0);
    const [end] = ends.sort((a, b) => a.at - b.at);
    if (end === undefined) {
      const closes = this.#marks.map(({ close }) => close);
      const held = isLast ? 0 : beginningOf(closes, text);
      parts.reasoning += text.slice(0, text.length - held);
      this.#held = text.slice(text.length - held);
      return undefined;
    }
    parts.reasoning += text.slice(0, end.at);
    this.#marks = [end.mark];
    this.#state = "after";
    return text.slice(end.at + end.mark.close.length);
  }

  #content(text: string, isLast: boolean, parts: Parts): string | undefined {
    const [mark, another] = this.#marks;
    // Without a template's word or an earlier thought, a mark is a text about marks.
    if (mark === undefined || another !== undefined) {
      parts.content += text;
      return undefined;
    }
    this.#later ??= new LaterThoughts(mark.open);
    const { content, rest, isThought } = this.#later.feed(text, isLast);
    parts.content += content;
    if (!isThought) {
      this.#held = rest;
      return undefined;
    }
    this.#state = "again";
    return rest;
  }

  /**
   * Removes an opening mark and returns the text after it. Without a mark, returns all text and enters the state
   * `otherwise`; undefined if more text must decide.
   */
  #begin(text: string, isLast: boolean, otherwise: "content" | "inside"): string | undefined {
    const visible = text.trimStart();
    const mark = this.#marks.find(({ open }) => visible.startsWith(open));
    const isUnsure = text.length < MOST_BLANKS && this.#marks.some(({ open }) => open.startsWith(visible));
    if (mark === undefined) {
      if (isUnsure && !isLast) {
        this.#held = text;
        return undefined;
      }
      this.#state = otherwise;
      return text;
    }
    const inside = visible.slice(mark.open.length);
    // A newline after the mark belongs to the mark.
    if (inside === "" && !isLast) {
      this.#held = text;
      return undefined;
    }
    this.#marks = [mark];
    this.#state = otherwise === "content" ? "opened" : "inside";
    return inside.startsWith("\n") ? inside.slice(1) : inside;
  }
}
