import { Lexer, type Token } from "marked";
import { afterEach, describe, expect, it, vi } from "vitest";
import { BlockReader, marked } from "../src/markdown/blocks.js";
import { random } from "./random.js";

const PIECES = (
  "word|a|\n|\n\n|\n\n\n|  |    |# |- |* |1. |2. |+ |> |```|```js\n|`|*|**|_|~~|==|===|---|- |\\||a\\|b|\n-\\|-\n|$|$$|\\\\[|\\\\]|" +
  "\\\\(|\\\\)|[a]|[a]: https://x.test/1|[b]|[b]: /y|<b>|<!--|-->|<pre>|</pre>|<div>|http://x.test|\\\\|!|é|[ ] |\t"
)
  .replaceAll("\\|", "\u0000")
  .split("|")
  .map((piece) => piece.replaceAll("\u0000", "|").replaceAll("\\\\", "\\"));

const html = (blocks: Token[], links: object): string[] =>
  blocks.map((block) => marked.parser(Object.assign([block], { links }) as never));

/** Returns the blocks of a text that is parsed in one go. */
function whole(text: string): string[] {
  const tokens = marked.lexer(text);
  return html(
    tokens.filter(({ type }) => type !== "space" && type !== "def"),
    tokens.links,
  );
}

function shown(reader: BlockReader, text: string): string[] {
  const { blocks, links } = reader.read(text) ?? { blocks: [], links: {} };
  return html(blocks, links);
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a text that grows", () => {
  it("is the same blocks at each length as if it were read at once", () => {
    for (let seed = 0; seed < 20; seed++) {
      const next = random(seed);
      const text = Array.from({ length: 40 }, () => PIECES[Math.floor(next() * PIECES.length)] ?? "").join("");
      const reader = new BlockReader();
      for (let end = 1; end <= text.length; end += 1 + Math.floor(next() * 3)) {
        const part = text.slice(0, end);
        expect(shown(reader, part), JSON.stringify([seed, part])).toEqual(whole(part));
      }
    }
  });

  it("may become another text", () => {
    const reader = new BlockReader();
    shown(reader, "one\n\ntwo\n\nthree\n\nfour");
    expect(shown(reader, "# five\n\nsix")).toEqual(whole("# five\n\nsix"));
  });

  it("is read from its last blocks on", () => {
    const lex = vi.spyOn(Lexer.prototype, "lex");
    const reader = new BlockReader();
    const text = "Some words of an answer, *some* of them loud.\n\n".repeat(500);
    for (let end = 100; end < text.length; end += 100) reader.read(text.slice(0, end));
    expect(Math.max(...lex.mock.calls.map(([read]) => read.length))).toBeLessThan(300);
  });

  it("is given up once it is nested too deep", () => {
    const reader = new BlockReader();
    const lex = vi.spyOn(Lexer.prototype, "lex");
    const text = ">".repeat(5000);
    expect(reader.read(text)).toBeUndefined();
    const calls = lex.mock.calls.length;
    expect(reader.read(`${text}more`)).toBeUndefined();
    expect(lex.mock.calls.length).toBe(calls);
  });
});

describe("a formula", () => {
  it.each([
    ["behind a name with an underscore, snake_case and $x$", ["x"]],
    ["behind emphasis *that* ends, or _that_, or `code` $a$ and \\(b\\)", ["a", "b"]],
    ["on the next line\n$x$", ["x"]],
    ["after a star * that is one $x$ and 5 * $y$", ["x", "y"]],
    ["not for $5 or $10, but for $z$", ["z"]],
    ["\\[\nx\n\\]\n\ntext\n\n$$y$$", ["x", "y"]],
    ["in a paragraph\n$$x$$\nof text", ["x"]],
    ["$$not\n\nthis$$", []],
  ])("is found %s", (text, formulas) => {
    const found = [
      ...whole(text)
        .join("")
        .matchAll(/class="math[^>]*>([^<]*)</g),
    ].map(([, formula]) => formula?.trim());
    expect(found).toEqual(formulas);
  });

  it("is looked for as far as the next piece of text goes", () => {
    const math = marked.defaults.extensions;
    const looked: number[] = [];
    for (const start of [...(math?.startInline ?? []), ...(math?.startBlock ?? [])]) {
      looked.push(start.call({ lexer: new Lexer() }, "text *loud*\n\n$x$ $$y$$") ?? -1);
    }
    expect(looked).toEqual([-1, -1]);
  });
});
