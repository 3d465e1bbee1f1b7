/**
 * Cuts a text into pieces that are translated one by one, and what lies between them, which is kept. The pieces and the gaps
 * put together are the text, character by character; no piece has a line break, or spaces at its ends.
 */
export interface Piece {
  text: string;
  /** Characters between this piece and the next one, or the end. */
  gap: string;
}

export interface Pieces {
  /** Characters before the first piece. */
  lead: string;
  pieces: Piece[];
}

export interface SplitOptions {
  /** Language of the text, whose rules for sentences are used. */
  language?: string | undefined;
  /** Most tokens of a piece, by `count`: a longer sentence is cut between its clauses, or else its words. */
  most: number;
  count: (text: string) => number;
  /** Whether sentences of one line are taken together, as long as they fit. */
  isPacked: boolean;
}

const LINE_BREAK = /(\r\n|[\n\v\f\r\u0085\u2028\u2029]+)/;
/** Ends of words after which a full stop ends no sentence; a join too many costs nothing. */
const ABBREVIATION =
  /(?:^|[^\p{L}])(?:\p{Lu}\p{L}{0,2}|\p{L}|Mrs|Prof|Capt|Gen|Sra|Dra|Mme|etc|usw|vgl|bzw|[Nn]o|[Nn]r|vs|cf)\.$/u;
const LONGEST_ABBREVIATION = 8;
/** Characters that a token has at most, roughly. */
const LONGEST_TOKEN = 8;
/** Characters that are looked at together: on both sides of a text's middle, where it is cut, and for sentences. */
const WINDOW = 2000;
const CLAUSE_END = /[,;:،؛、，；：。！？]\s*|\s[-–—]\s+/g;
const SPACE = /\s+/g;

export function split(text: string, options: SplitOptions): Pieces {
  const found: Pieces = { lead: "", pieces: [] };
  // Every second part is a line break.
  for (const [index, part] of text.split(LINE_BREAK).entries()) {
    if (index % 2 === 1) keep(found, part);
    else addLine(found, part, options);
  }
  return found;
}

/** Cuts a piece in two near its middle: between clauses, else between words, else between characters; undefined for one character. */
export function halves(text: string): [Piece, Piece] | undefined {
  const at = bestCut(text);
  if (at === undefined) return undefined;
  const first = text.slice(0, at);
  const rest = text.slice(at);
  const [head, tail] = [first.trimEnd(), rest.trimStart()];
  const gap = first.slice(head.length) + rest.slice(0, rest.length - tail.length);
  return [
    { text: head, gap },
    { text: tail, gap: "" },
  ];
}

/** Tells whether there is something to translate: a letter. Numbers, marks and lines of dashes stay as they are. */
export function hasWords(text: string): boolean {
  return /\p{L}/u.test(text);
}

function addLine(found: Pieces, line: string, options: SplitOptions): void {
  const start = found.pieces.length;
  // Tokens of the last piece, added up: what is packed would otherwise be counted for each sentence again.
  let tokens = 0;
  for (const sentence of sentences(line, options.language)) {
    if (!hasWords(sentence)) {
      keep(found, sentence);
      continue;
    }
    const core = sentence.trim();
    const lead = sentence.slice(0, sentence.length - sentence.trimStart().length);
    keep(found, lead);
    const gap = sentence.slice(lead.length + core.length);
    const last = found.pieces.length > start ? found.pieces.at(-1) : undefined;
    const more = isLong(core, options) ? options.most : options.count(core);
    if (options.isPacked && last !== undefined && tokens + more <= options.most) {
      last.text += last.gap + core;
      last.gap = gap;
      tokens += more;
    } else {
      found.pieces.push(...cut({ text: core, gap }, options));
      tokens = more;
    }
  }
}

function keep(found: Pieces, characters: string): void {
  const last = found.pieces.at(-1);
  if (last === undefined) found.lead += characters;
  else last.gap += characters;
}

/** Returns the sentences of a line, with the spaces after them. */
function sentences(line: string, language: string | undefined): string[] {
  const found: string[] = [];
  let isOpen = false;
  for (const segment of segmentsOf(line, new Intl.Segmenter(language ?? "en", { granularity: "sentence" }))) {
    if (isOpen) found.push((found.pop() ?? "") + segment);
    else found.push(segment);
    isOpen = ABBREVIATION.test(segment.trimEnd().slice(-LONGEST_ABBREVIATION));
  }
  return found;
}

/** Yields the segments of a line, of which it looks at a part at a time: browsers take longer for each, the longer the whole is. */
function* segmentsOf(line: string, segmenter: Intl.Segmenter): Generator<string, void, void> {
  // The beginning of a segment that is longer than a part.
  let held = "";
  for (let from = 0; from < line.length;) {
    const part = line.slice(from, from + WINDOW);
    const isLast = from + WINDOW >= line.length;
    const [first = "", ...segments] = Array.from(segmenter.segment(part), ({ segment }) => segment);
    held += first;
    from += first.length;
    if (segments.length === 0 && !isLast) continue;
    yield held;
    held = "";
    // The last one may go on behind the part.
    if (!isLast) segments.pop();
    yield* segments;
    for (const { length } of segments) from += length;
  }
}

/** Cuts a sentence until each part is short enough. */
function cut(sentence: Piece, options: SplitOptions): Piece[] {
  const { text, gap } = sentence;
  const two = isLong(text, options) || options.count(text) > options.most ? halves(text) : undefined;
  if (two === undefined) return [sentence];
  const [first, second] = two;
  return [...cut(first, options), ...cut({ ...second, gap }, options)];
}

/** Tells at a glance that a text has too many tokens: counting those of a megabyte again and again would take seconds. */
function isLong(text: string, { most }: SplitOptions): boolean {
  return text.length > LONGEST_TOKEN * most;
}

/** Returns the best place to cut a text without spaces at its ends; undefined if there is none. */
function bestCut(text: string): number | undefined {
  const half = text.length >> 1;
  const from = Math.max(0, half - WINDOW);
  const within = text.slice(from, half + WINDOW);
  const middle = half - from;
  const distance = (at: number): number => Math.abs(at - middle);
  const nearest = (marks: RegExp): number | undefined => {
    const ends = Array.from(within.matchAll(marks), ({ index, 0: mark }) => index + mark.length);
    const inside = ends.filter((at) => from + at < text.length);
    return inside.length === 0 ? undefined : inside.reduce((a, b) => (distance(b) < distance(a) ? b : a));
  };
  const clause = nearest(CLAUSE_END);
  const isCentral = clause !== undefined && distance(clause) < middle / 2;
  const at = isCentral ? clause : (nearest(SPACE) ?? clause ?? betweenCharacters(within, middle));
  return at === undefined ? undefined : from + at;
}

/** Returns the place nearest to another one at which no character is taken apart, such as an emoji of several code points. */
function betweenCharacters(text: string, near: number): number | undefined {
  const characters = new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text);
  const { index, segment } = characters.containing(near) ?? { index: 0, segment: text };
  const at = index > 0 ? index : segment.length;
  return at < text.length ? at : undefined;
}
