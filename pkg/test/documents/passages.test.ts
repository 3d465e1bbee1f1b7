import { describe, expect, it } from "vitest";
import { compose } from "../../src/documents/blocks.js";
import { Library } from "../../src/documents/index.js";
import { MOST_TOKENS, passagesOf } from "../../src/documents/passages.js";
import { tokensIn } from "../../src/documents/tokens.js";
import { extractors, fixture, prose } from "./support.js";

const TEXTS: [name: string, text: string][] = [
  ["prose.txt", prose(200)],
  ["one-line.txt", prose(100).replace(/\s+/g, " ")],
  ["no-spaces.txt", "x".repeat(5000)],
  ["emoji.txt", "👩‍👩‍👧‍👦🔥".repeat(600)],
  ["chinese.txt", "烟道大约在四分钟之后开始通风。每三天清理一次炉灰。".repeat(60)],
  ["thai.txt", "ปล่องไฟต้องทำความสะอาดปีละสองครั้ง ".repeat(60)],
  ["line-ends.txt", "a line\r\nand one\rmore\r\n\r\n".repeat(300)],
  ["notes.md", `# A\n${prose(30)}\n## B\n\n- item\n\n# C\n# D\n${prose(30, 5)}`],
  ["code.rs", "/// Doc.\nfn burn(wood: u8) -> u8 {\n    wood + 1\n}\n\n".repeat(80)],
];

describe("passages", () => {
  it("are exactly the document's text between their offsets, in order, and cover it", async () => {
    const library = await Library.open({ extractors });
    for (const [name, text] of TEXTS) await library.add({ name, text });
    for (const name of ["guide.pdf", "bees.docx", "columns.pdf", "chinese.pdf"]) await library.add(fixture(name));
    let count = 0;
    for (const { id, passages, name } of library.list()) {
      const text = library.text(id);
      let end = 0;
      let covered = 0;
      for (let i = 0; i < passages; i++) {
        const passage = library.passage(`${id}.${String(i)}`);
        expect(passage.text).toBe(text.slice(passage.start, passage.end));
        expect(passage.start).toBeGreaterThanOrEqual(end);
        expect(passage.text).not.toMatch(/\p{Surrogate}/u);
        expect(tokensIn(passage.text), name).toBeLessThanOrEqual(MOST_TOKENS + 1);
        end = passage.end;
        covered += passage.text.replace(/\s/g, "").length;
        count++;
      }
      const headings = [...text.matchAll(/^[A-D]$/gm)].length;
      if (!/pdf|docx/.test(name))
        expect(covered + headings, name).toBeGreaterThanOrEqual(text.replace(/\s/g, "").length - 2);
    }
    expect(count).toBeGreaterThan(100);
  });

  it("do not cross a heading, and a heading alone is one", () => {
    const composed = compose([
      { kind: "heading", level: 1, text: "One" },
      { kind: "paragraph", text: "First." },
      { kind: "paragraph", text: "Second." },
      { kind: "heading", level: 2, text: "Two" },
      { kind: "paragraph", text: "Third." },
      { kind: "heading", level: 1, text: "Alone" },
      { kind: "heading", level: 1, text: "Last" },
      { kind: "paragraph", text: "Fourth." },
    ]);
    const bounds = passagesOf(composed);
    const texts = Array.from({ length: bounds.length / 2 }, (_, i) =>
      composed.text.slice(bounds[2 * i], bounds[2 * i + 1]),
    );
    expect(texts).toEqual(["First.\n\nSecond.", "Third.", "Alone", "Fourth."]);
    expect(composed.sections.map(({ value }) => value)).toEqual([[], ["One"], ["One", "Two"], ["Alone"], ["Last"]]);
  });

  it("know their page", async () => {
    const library = await Library.open({ extractors });
    const { id } = await library.add(fixture("guide.pdf"));
    const pages = (await library.search("chimney sweep twice a year")).map(({ page, headings }) => [page, headings]);
    expect(pages[0]).toEqual(["2", ["Cleaning"]]);
    expect(library.passage(`${id}.0`)).toMatchObject({ page: "i", headings: ["Preface"], previous: null, next: null });
  });
});
