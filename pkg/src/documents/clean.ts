/** Traces of a page's layout that are no text: running heads and feet, hyphens at line ends. */

interface Line {
  text: string;
  y: number;
}

interface Page<L> {
  label: string;
  lines: L[];
}

/** Share of pages on which a line is repeated that is taken for a running head. */
const SHARE = 0.6;
const FEWEST_PAGES = 3;
/** Lines at the top and at the foot of a page that may be one. */
const DEPTH = 2;

/** Returns pages without the lines that most of them have at their top or foot, whatever number is in them. */
export function withoutRunningHeads<L extends Line>(pages: Page<L>[]): Page<L>[] {
  if (pages.length < FEWEST_PAGES) return pages;
  const edges = pages.map(({ lines }) => {
    const byHeight = [...lines].sort((p, q) => q.y - p.y);
    return new Set([...byHeight.slice(0, DEPTH), ...byHeight.slice(-DEPTH)]);
  });
  const counts = new Map<string, number>();
  for (const lines of edges) {
    for (const shape of new Set([...lines].map(shapeOf))) counts.set(shape, (counts.get(shape) ?? 0) + 1);
  }
  const isRunning = (line: L): boolean => (counts.get(shapeOf(line)) ?? 0) > SHARE * pages.length;
  return pages.map((page, i) => ({
    ...page,
    lines: page.lines.filter((line) => edges[i]?.has(line) !== true || !isRunning(line)),
  }));
}

function shapeOf({ text }: Line): string {
  const shape = text.replace(/\s+/g, " ").trim().toLowerCase();
  // A number of a page: digits, or Roman ones alone.
  return /^[ivxlc]+$/.test(shape) ? "#" : shape.replace(/\d+/g, "#");
}

const HYPHENATED = /\p{L}+(?:-\p{L}+)+/gu;

/** Returns the words that have hyphens within lines, and so keep them at a line's end. */
export function hyphenatedIn(lines: string[]): Set<string> {
  return new Set(lines.flatMap((line) => Array.from(line.matchAll(HYPHENATED), ([word]) => word.toLowerCase())));
}

/** Joins a paragraph's lines; a word that was divided becomes one again. Lines of CJK are joined without a space. */
export function joinLines(lines: string[], hyphenated: Set<string>): string {
  return lines.reduce((text, line) => {
    if (text === "") return line;
    if (text.endsWith("\u00ad")) return text.slice(0, -1) + line;
    const start = /(\p{L}+)-$/u.exec(text)?.[1];
    const end = /^\p{Ll}\p{L}*/u.exec(line)?.[0];
    if (start !== undefined && end !== undefined) {
      return hyphenated.has(`${start}-${end}`.toLowerCase()) ? text + line : text.slice(0, -1) + line;
    }
    const isDense = DENSE_END.test(text) && DENSE_START.test(line);
    return isDense ? text + line : `${text} ${line}`;
  }, "");
}

const DENSE = "[\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\u3000-\u303f\uff00-\uffef]";
const DENSE_END = new RegExp(`${DENSE}$`, "u");
const DENSE_START = new RegExp(`^${DENSE}`, "u");
