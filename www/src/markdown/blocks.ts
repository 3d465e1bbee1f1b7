/** A text that grows, as Markdown's blocks: what can no longer change is not read again. */
import { Lexer, Marked, type Token, type TokensList } from "marked";
import { mathExtension } from "./math.js";

export const marked = new Marked({ gfm: true, breaks: true }, mathExtension);

export type Links = TokensList["links"];

export interface Blocks {
  blocks: Token[];
  links: Links;
}

export class BlockReader {
  /** Its tokens are final. */
  #head = "";
  #tokens: Token[] = [];
  #links: Links = {};
  /** What the addresses were when the head was read: they may come long after their link. */
  #linksThen = "{}";
  #isGivenUp = false;

  /** The blocks of a text; undefined for one that is nested too deep to be read. */
  read(text: string): Blocks | undefined {
    if (this.#isGivenUp) return undefined;
    try {
      return this.#read(text.replace(/\r\n?/g, "\n"));
    } catch {
      // The same text, grown by a token, would fail the same way at each frame.
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
   * Takes into the head what is final: a list, a table or a heading may be made of a block and the one behind it, but nothing
   * reaches over two blocks and an empty line.
   */
  #keep(found: TokensList, text: string): void {
    const blocks = found.flatMap(({ type }, index) => (type === "space" ? [] : [index]));
    let end = blocks.at(-2) ?? 0;
    while (end > 0 && found[end - 1]?.type !== "space") end--;
    const kept = found.slice(0, end);
    const head = this.#head + kept.map(({ raw }) => raw).join("");
    // Where the lexer has mended something its tokens are not the text, and tell no place in it.
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
