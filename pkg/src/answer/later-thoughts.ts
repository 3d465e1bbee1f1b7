/**
 * Finds where thoughts begin again in an answer's text: at the beginning of a line or behind a call, but not within code
 * or a call, whose texts may have such marks as well.
 */
import { beginningOf } from "../tools/parts.js";
import { CLOSE } from "../tools/call-parser.js";

/** Tags that may begin a call, in any style. */
const OPEN = ["<tool_call>", "<|tool_call>", "<|tool_call|>", "<|tool_call_start|>", "<function=", "<|START_ACTION|>"];
const FENCE = "```";

export class LaterThoughts {
  readonly #mark: string;
  readonly #tags: readonly string[];
  /** Whether nothing but blanks came since the last line break or call. */
  #isLineStart = true;
  #isCode = false;
  #isCall = false;

  constructor(mark: string) {
    this.#mark = mark;
    // Longer ones first: some begin with another.
    this.#tags = [mark, ...OPEN, ...CLOSE, FENCE].sort((a, b) => b.length - a.length);
  }

  /**
   * Takes the next piece of text. Returns what is certainly the answer's, and what follows: behind the mark if
   * `isThought`, otherwise a possible beginning of a tag.
   */
  feed(text: string, isLast: boolean): { content: string; rest: string; isThought: boolean } {
    let at = 0;
    for (;;) {
      const next = this.#next(text, at);
      if (next === undefined) break;
      this.#pass(text.slice(at, next.at));
      const end = next.at + next.tag.length;
      if (next.tag === this.#mark && this.#isLineStart && !this.#isCode && !this.#isCall) {
        return { content: text.slice(0, next.at), rest: text.slice(end), isThought: true };
      }
      this.#meet(next.tag);
      at = end;
    }
    const held = isLast ? 0 : beginningOf(this.#tags, text.slice(at));
    const stop = text.length - held;
    this.#pass(text.slice(at, stop));
    return { content: text.slice(0, stop), rest: text.slice(stop), isThought: false };
  }

  #next(text: string, from: number): { tag: string; at: number } | undefined {
    const found = this.#tags.map((tag) => ({ tag, at: text.indexOf(tag, from) })).filter(({ at }) => at >= 0);
    // (of tags at one place, the longest)
    return found.reduce<(typeof found)[number] | undefined>(
      (first, one) => (first === undefined || one.at < first.at ? one : first),
      undefined,
    );
  }

  /** Notes plain text. */
  #pass(text: string): void {
    const line = text.slice(text.lastIndexOf("\n") + 1);
    this.#isLineStart = (this.#isLineStart || line.length < text.length) && line.trim() === "";
  }

  /** Notes a tag that belongs to the answer. */
  #meet(tag: string): void {
    const isEnd = CLOSE.includes(tag);
    if (tag === FENCE && this.#isLineStart) this.#isCode = !this.#isCode;
    else if (isEnd) this.#isCall = false;
    else if (OPEN.includes(tag) && !this.#isCode) this.#isCall = true;
    this.#isLineStart = isEnd;
  }
}
