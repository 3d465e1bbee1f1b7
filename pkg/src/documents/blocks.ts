/** Blocks of a document, and the one text with offsets that they become. */
export interface Block {
  kind: "heading" | "paragraph" | "list" | "table" | "code";
  text: string;
  /** Level of a heading, from 1 to 6. */
  level?: number;
  /** Label of the page on which it begins. */
  page?: string;
  /** Name of what it defines, for code: a heading that is not in the text. */
  title?: string;
  /** Number of line ends before it. Default 2. */
  gap?: number;
}

/** Result of reading a file. */
export interface Extracted {
  blocks: Block[];
  /** Number of pages; null for formats without them. */
  pages: number | null;
  remarks: string[];
  /** Whether the pages are pictures. */
  isPictures?: boolean;
}

/** A label that holds from an offset to the next one's. */
export interface Mark<T> {
  start: number;
  value: T;
}

export interface Span {
  kind: Block["kind"];
  start: number;
  end: number;
  /** Position among the sections. */
  section: number;
}

export interface Composed {
  text: string;
  /** Blocks by their offsets. */
  spans: Span[];
  /** Headings above, from each offset on. */
  sections: Mark<string[]>[];
  pages: Mark<string>[];
}

const LONGEST_HEADING = 300;

/** Joins blocks to one text. */
export function compose(blocks: Block[]): Composed {
  const parts: string[] = [];
  const spans: Span[] = [];
  const sections: Mark<string[]>[] = [{ start: 0, value: [] }];
  const pages: Mark<string>[] = [];
  let path: { level: number; text: string }[] = [];
  let at = 0;
  for (const { kind, text, level = 1, page, title, gap = 2 } of blocks) {
    if (text === "") continue;
    if (at > 0) {
      parts.push("\n".repeat(gap));
      at += gap;
    }
    if (page !== undefined && pages.at(-1)?.value !== page) pages.push({ start: at, value: page });
    if (kind === "heading") {
      path = [...path.filter((above) => above.level < level), { level, text: text.slice(0, LONGEST_HEADING) }];
    }
    const headings = path.map((above) => above.text);
    if (title !== undefined) headings.push(title);
    const last = sections.at(-1);
    // Two sections of one name in a row are two all the same.
    if (kind === "heading" || !isSame(last?.value ?? [], headings)) sections.push({ start: at, value: headings });
    spans.push({ kind, start: at, end: at + text.length, section: sections.length - 1 });
    parts.push(text);
    at += text.length;
  }
  return { text: parts.join(""), spans, sections, pages };
}

function isSame(a: string[], b: string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}

/** Returns the last mark at or before an offset. */
export function markAt<T>(marks: Mark<T>[], offset: number): Mark<T> | undefined {
  let [low, high] = [0, marks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((marks[middle]?.start ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return marks[low - 1];
}
