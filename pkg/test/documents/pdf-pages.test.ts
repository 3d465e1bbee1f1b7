/**
 * Pages of sentences in long PDFs, by another reader: HEARTH_PDFS names a folder with Debian's `policy.pdf` and
 * `bashref.pdf`, and with the `sentences.json` that `fixtures/sentences.py` makes of them.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Library, MemoryStore } from "../../src/documents/index.js";
import { extractors } from "./support.js";

interface Sampled {
  file: string;
  /** Label of the page, or its number where pages have none. */
  page: string;
  sentence: string;
}

const folder = process.env.HEARTH_PDFS ?? "";
const path = join(folder, "sentences.json");
const isThere = folder !== "" && existsSync(path);
if (!isThere) console.warn("SKIPPED: HEARTH_PDFS names no folder with sentences.json, so no pages were compared");

/** Returns a text's letters and digits, and where each stands in it. */
function letters(text: string): { joined: string; offsets: number[] } {
  const found = Array.from(text.matchAll(/[A-Za-z0-9]/g), ({ 0: letter, index }): [string, number] => [letter, index]);
  return { joined: found.map(([letter]) => letter).join(""), offsets: found.map(([, offset]) => offset) };
}

describe.skipIf(!isThere)("sampled sentences", () => {
  it("are on their pages, in passages that know them", async () => {
    const sampled = JSON.parse(readFileSync(path, "utf8")) as Sampled[];
    expect(sampled).toHaveLength(30);
    const library = await Library.open({ store: new MemoryStore(), extractors });
    const right: string[] = [];
    const wrong: unknown[] = [];
    for (const file of new Set(sampled.map((one) => one.file))) {
      const bytes = new Uint8Array(readFileSync(join(folder, file)));
      const { id, passages } = await library.add(new File([bytes], file));
      const [text, pages] = [library.text(id), library.pages(id)];
      const pageAt = (offset: number): string | undefined => pages.findLast(({ start }) => start <= offset)?.value;
      const { joined, offsets } = letters(text);
      const all = Array.from({ length: passages }, (_, i) => library.passage(`${id}.${String(i)}`));
      for (const { page, sentence } of sampled.filter((one) => one.file === file)) {
        const offset = offsets[joined.indexOf(letters(sentence).joined)] ?? -1;
        const holding = all.find(({ start, end }) => start <= offset && offset < end);
        const found = { page: pageAt(offset), passage: holding?.page };
        // A passage has the label of the page on which it begins, which may be the one before.
        const isRight = found.page === page && found.passage === pageAt(holding?.start ?? -1);
        if (isRight) right.push(sentence);
        else wrong.push({ file, sentence, page, found });
      }
    }
    expect(wrong).toEqual([]);
    expect(right).toHaveLength(30);
  }, 120_000);
});
