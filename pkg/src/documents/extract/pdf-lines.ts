/** Lines of a page of PDF in the order of reading: pieces of text by their places, columns one after another. */

/** A piece of text as pdf.js gives it. */
export interface TextItem {
  str: string;
  /** The last two are the place of its beginning, from the page's lower left. */
  transform: number[];
  width: number;
}

export interface PageLine {
  text: string;
  /** Pieces with gaps between them, as in the rows of a table. */
  cells: string[];
  x: number;
  end: number;
  y: number;
  /** Height of the letters. */
  size: number;
  /** Column on the page; lines of different columns do not make one paragraph. */
  column: number;
}

interface Segment {
  text: string;
  x: number;
  end: number;
  y: number;
  size: number;
}

export function linesOf(items: TextItem[]): PageLine[] {
  return columnsOf(segmentsOf(items)).flatMap((segments, column) => rowsOf(segments, column));
}

/** Joins pieces that follow one another on a line. */
function segmentsOf(items: TextItem[]): Segment[] {
  const found: Segment[] = [];
  for (const { str, transform, width } of items) {
    const [a = 0, b = 0, c = 0, d = 0, x = 0, y = 0] = transform;
    const size = Math.hypot(c, d) || Math.hypot(a, b);
    const isUpright = Math.abs(b) <= Math.abs(a) * 0.3;
    if (str.trim() === "" || !isUpright || !Number.isFinite(x + y + size + width) || size === 0) continue;
    const last = found.at(-1);
    const gap = last === undefined ? 0 : x - last.end;
    const isSameLine = last !== undefined && Math.abs(y - last.y) < 0.5 * Math.max(size, last.size);
    if (isSameLine && gap > -0.5 * size && gap < 1.2 * Math.max(size, last.size)) {
      const hasSpace = /\s$/.test(last.text) || /^\s/.test(str);
      last.text += gap > 0.15 * size && !hasSpace ? ` ${str}` : str;
      last.end = Math.max(last.end, x + width);
      // A footnote's number does not make its line smaller.
      if (size > last.size) [last.size, last.y] = [size, y];
    } else {
      found.push({ text: str, x, end: x + width, y, size });
    }
  }
  return found.map((segment) => ({ ...segment, text: segment.text.replace(/\s+/g, " ").trim() }));
}

/** Divides a page into columns and the parts that run across them. */
function columnsOf(segments: Segment[]): Segment[][] {
  const gutter = gutterOf(segments);
  if (gutter === undefined) return [segments];
  const found: Segment[][] = [];
  const isAcross = ({ x, end }: Segment): boolean => x < gutter && end > gutter;
  let [left, right]: [Segment[], Segment[]] = [[], []];
  const close = (): void => {
    found.push(left, right);
    [left, right] = [[], []];
  };
  for (const segment of [...segments].sort((p, q) => q.y - p.y || p.x - q.x)) {
    if (isAcross(segment)) {
      close();
      found.push([segment]);
    } else (segment.x < gutter ? left : right).push(segment);
  }
  close();
  return found.filter((column) => column.length > 0);
}

/** Returns where the white space between two columns is, if the page has them. */
function gutterOf(segments: Segment[]): number | undefined {
  if (segments.length < 12) return undefined;
  const least = Math.min(...segments.map(({ x }) => x));
  const most = Math.max(...segments.map(({ end }) => end));
  const width = most - least;
  let best: { at: number; crossed: number } | undefined;
  for (let part = 0.35; part <= 0.65; part += 0.01) {
    const at = least + width * part;
    const crossed = segments.filter(({ x, end }) => x < at && end > at).length;
    if (best === undefined || crossed < best.crossed) best = { at, crossed };
  }
  if (best === undefined || best.crossed > segments.length * 0.15) return undefined;
  const { at } = best;
  const sides = [segments.filter(({ end }) => end <= at), segments.filter(({ x }) => x >= at)];
  // Columns are lines of prose, side by side; the cells of a table are short.
  const isColumn = (side: Segment[]): boolean => {
    const widths = side.map(({ x, end }) => end - x).sort((p, q) => p - q);
    return side.length >= 5 && (widths[widths.length >> 1] ?? 0) > width * 0.28;
  };
  const [first = [], second = []] = sides;
  if (!isColumn(first) || !isColumn(second)) return undefined;
  const range = (side: Segment[]): [number, number] => [
    Math.min(...side.map(({ y }) => y)),
    Math.max(...side.map(({ y }) => y)),
  ];
  const [[low1, high1], [low2, high2]] = [range(first), range(second)];
  const shared = Math.min(high1, high2) - Math.max(low1, low2);
  return shared > 0.3 * Math.min(high1 - low1, high2 - low2) ? at : undefined;
}

/** Joins segments at one height to lines with cells. */
function rowsOf(segments: Segment[], column: number): PageLine[] {
  const rows: Segment[][] = [];
  for (const segment of segments) {
    const row = rows.findLast((one, i) => i >= rows.length - 4 && isBeside(one, segment));
    if (row === undefined) rows.push([segment]);
    else row.push(segment);
  }
  return rows.map((row) => {
    const cells = row.sort((p, q) => p.x - q.x);
    const [first] = cells;
    const texts = cells.map(({ text }) => text);
    return {
      text: texts.join(" "),
      cells: texts,
      x: first?.x ?? 0,
      end: Math.max(...cells.map(({ end }) => end)),
      y: first?.y ?? 0,
      size: Math.max(...cells.map(({ size }) => size)),
      column,
    };
  });
}

function isBeside(row: Segment[], { x, end, y, size }: Segment): boolean {
  return row.every(
    (one) => Math.abs(one.y - y) < 0.4 * Math.max(size, one.size) && (one.end <= x + 1 || one.x >= end - 1),
  );
}
