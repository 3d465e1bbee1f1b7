/** Splits a growing text into Markdown blocks; the part that can no longer change is not parsed again. */
import { Lexer, Marked, type Token, type TokensList } from "marked";
import { mathExtension } from "./math.js";

export const marked = new Marked({ gfm: true, breaks: true }, mathExtension);

export type Links = TokensList["links"];

export interface Blocks {
  blocks: Token[];
  links: Links;
}

export class BlockReader {
  /** Text whose tokens are final. */
  #head = "";
  #tokens: Token[] = [];
  #links: Links = {};
  /** Link addresses as they were when the head was parsed: a definition may come long after its link. */
  #linksThen = "{}";
  #isGivenUp = false;

  /** Returns the blocks of a text, or undefined if it is nested too deeply to parse. */
  read(text: string): Blocks | undefined {
    if (this.#isGivenUp) return undefined;
    try {
      return this.#read(text.replace(/\r\n?/g, "\n"));
    } catch {
      // This text plus one token would fail the same way on every frame.
      this.#isGivenUp = true;
      return undefined;
    }
  }

  #read(text: string): Blocks {
    if (!text.startsWith(this.#head)) this.#forget();
    let found = this.#lex(text);
    if (JSON.stringify(found.links) !== this.#linksThen && this.#head.includes("[")) {
      this.#forget();
      found = this.#lex(text);
    }
    this.#linksThen = JSON.stringify(found.links);
    const tokens = [...this.#tokens, ...found];
    this.#keep(found, text);
    return { blocks: tokens.filter(({ type }) => type !== "space" && type !== "def"), links: found.links };
  }

  #lex(text: string): TokensList {
    const lexer = new Lexer(marked.defaults);
    Object.assign(lexer.tokens.links, this.#links);
    return lexer.lex(text.slice(this.#head.length));
  }

  /**
   * Moves final blocks into the head. A list, a table or a heading may be built from a block and the one after it, but
   * nothing spans two blocks and an empty line.
   */
  #keep(found: TokensList, text: string): void {
    const blocks = found.flatMap(({ type }, index) => (type === "space" ? [] : [index]));
    let end = blocks.at(-2) ?? 0;
    while (end > 0 && found[end - 1]?.type !== "space") end--;
    const kept = found.slice(0, end);
    const head = this.#head + kept.map(({ raw }) => raw).join("");
    // After the lexer has corrected the text, its tokens differ from it and give no position in it.
    if (!text.startsWith(head)) return;
    if (kept.some(({ type }) => type === "def")) this.#links = { ...found.links };
    this.#head = head;
    this.#tokens.push(...kept);
  }

  #forget(): void {
    this.#head = "";
    this.#tokens = [];
    this.#links = {};
  }
}
