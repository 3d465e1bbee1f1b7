/** Blocks from the lines of a PDF's pages: headings by the size of their letters, paragraphs by gaps, tables by cells. */
import type { Block } from "../blocks.js";
import { joinLines, hyphenatedIn } from "../clean.js";
import type { PageLine } from "./pdf-lines.js";

export interface TextPage {
  label: string;
  lines: PageLine[];
}

/** Size of a heading's letters beside the text's. */
const LARGER = 1.12;
const LONGEST_HEADING = 200;

export function blocksOfPages(pages: TextPage[]): Block[] {
  const all = pages.flatMap(({ lines }) => lines);
  const body = commonSize(all);
  const sizes = headingSizes(all, body);
  const hyphenated = hyphenatedIn(all.map(({ text }) => text));
  return pages.flatMap(({ label, lines }) =>
    groupsOf(lines, (line) => levelOf(line, sizes)).map((group): Block => {
      const [first] = group;
      const level = first === undefined ? undefined : levelOf(first, sizes);
      const page = label;
      if (level !== undefined) {
        const text = joinLines(
          group.map((line) => line.text),
          hyphenated,
        );
        if (text.length <= LONGEST_HEADING) return { kind: "heading", level, text, page };
      }
      if (isTable(group)) return { kind: "table", text: group.map(({ cells }) => cells.join(" | ")).join("\n"), page };
      const isList = group.some((line) => BULLET.test(line.text));
      if (isList) return { kind: "list", text: itemsOf(group, hyphenated).join("\n"), page };
      return {
        kind: "paragraph",
        text: joinLines(
          group.map((line) => line.text),
          hyphenated,
        ),
        page,
      };
    }),
  );
}

const BULLET = /^(?:[•◦▪‣●■–—*-]|\d{1,3}[.)]|[a-z]\))\s+\S/;

function itemsOf(group: PageLine[], hyphenated: Set<string>): string[] {
  const items: string[][] = [];
  for (const { text } of group) {
    const last = items.at(-1);
    if (last === undefined || BULLET.test(text)) items.push([text]);
    else last.push(text);
  }
  return items.map((lines) => joinLines(lines, hyphenated));
}

/** Returns the size in which most characters are set. */
function commonSize(lines: PageLine[]): number {
  const counts = new Map<number, number>();
  for (const { size, text } of lines) {
    const rounded = Math.round(size * 2) / 2;
    counts.set(rounded, (counts.get(rounded) ?? 0) + text.length);
  }
  return [...counts].sort(([, p], [, q]) => q - p)[0]?.[0] ?? 0;
}

/** Returns the sizes of headings, the largest first, which are their levels. */
function headingSizes(lines: PageLine[], body: number): number[] {
  const larger = lines.filter(({ size, text }) => size > body * LARGER && text.length <= LONGEST_HEADING);
  const sizes = [...new Set(larger.map(({ size }) => Math.round(size * 2) / 2))].sort((p, q) => q - p);
  return sizes.slice(0, 6);
}

function levelOf({ size, cells }: PageLine, sizes: number[]): number | undefined {
  if (cells.length > 1) return undefined;
  const at = sizes.indexOf(Math.round(size * 2) / 2);
  return at === -1 ? undefined : at + 1;
}

/** Groups lines that make one block. */
function groupsOf(lines: PageLine[], level: (line: PageLine) => number | undefined): PageLine[][] {
  const leading = commonLeading(lines);
  const groups: PageLine[][] = [];
  for (const line of lines) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group === undefined || last === undefined || isApart(group, last, line, leading, level)) groups.push([line]);
    else group.push(line);
  }
  return groups;
}

function isApart(
  group: PageLine[],
  last: PageLine,
  line: PageLine,
  leading: number,
  level: (line: PageLine) => number | undefined,
): boolean {
  if (line.column !== last.column || level(line) !== level(last)) return true;
  const drop = last.y - line.y;
  // Where most lines are paragraphs of their own, the usual drop is that between paragraphs.
  const usual = Math.max(Math.min(leading, 1.5 * last.size), last.size);
  if (drop < 0) return true;
  const areRows = line.cells.length > 1 && last.cells.length > 1;
  if (areRows) return drop > 2.5 * usual;
  if (line.cells.length > 1 || (last.cells.length > 1 && group.length > 1)) return true;
  if (BULLET.test(line.text)) return !group.some(({ text }) => BULLET.test(text)) || drop > 2 * usual;
  if (drop > 1.35 * usual || Math.abs(line.size - last.size) > 0.15 * last.size) return true;
  // An indented line begins a paragraph, if the one before it was full or an end.
  const isIndented = line.x > last.x + 0.8 * line.size && line.x < last.x + 4 * line.size;
  return isIndented && !group.some(({ text }) => BULLET.test(text)) && /[.!?:;)\]"”'’]$/.test(last.text);
}

function commonLeading(lines: PageLine[]): number {
  const drops = lines
    .map((line, i) => (lines[i - 1]?.y ?? 0) - line.y)
    .filter((drop, i) => i > 0 && drop > 0 && drop < 4 * (lines[i]?.size ?? 0))
    .sort((p, q) => p - q);
  return drops[drops.length >> 1] ?? 0;
}

function isTable(group: PageLine[]): boolean {
  return group.length > 1 && group.filter(({ cells }) => cells.length > 1).length >= group.length * 0.6;
}
