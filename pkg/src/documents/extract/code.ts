/** Source code: one block for each definition at the margin, with the comments above it. Its text stays as it is. */
import type { Block, Extracted } from "../blocks.js";
import { definedBy } from "./languages.js";

const ABOVE = /^\s*(\/\/|\/?\*|#(?!include)|--|;|@|\[|"""|''')/;

export function extractCode(text: string): Extracted {
  const lines = text.split("\n");
  const starts: { line: number; title: string }[] = [];
  lines.forEach((line, i) => {
    const title = definedBy(line);
    if (title === undefined) return;
    let first = i;
    while (first > 0 && ABOVE.test(lines[first - 1] ?? "") && /^\S| \*/.test(lines[first - 1] ?? "")) first--;
    const floor = (starts.at(-1)?.line ?? -1) + 1;
    starts.push({ line: Math.max(first, floor), title });
  });
  const cuts = [{ line: 0, title: undefined }, ...starts];
  const blocks = cuts.flatMap(({ line, title }, i): Block[] => {
    const end = cuts[i + 1]?.line ?? lines.length;
    if (end <= line) return [];
    // The line end between two blocks is the gap; blank lines stay in the text of the block before them.
    return [
      { kind: "code", text: lines.slice(line, end).join("\n"), gap: 1, ...(title === undefined ? {} : { title }) },
    ];
  });
  return { blocks, pages: null, remarks: [] };
}
