/** Citations in answers: numbers beyond the list are removed, the others matched to the sentence that they cite. */
import { sentenceBounds } from "./passages.js";
import type { Source } from "./prompt.js";
import { termsOf } from "./words.js";

/** A citation in the answer's message. */
export interface FileCitation {
  type: "file_citation";
  file_citation: {
    file_id: string;
    filename: string;
    /** Number of the source. */
    number: number;
    /** Position in the answer of the bracket that cites it. */
    index: number;
    /** Page on which the quote begins. */
    page: string | null;
    /** Sentence of the source that is nearest to what the answer says. */
    quote: string;
    /** Offsets of the quote in the document's text. */
    start: number;
    end: number;
    /** Whether the quote has the words of the statement; if not, the model may have made it up. */
    supported: boolean;
  };
}

const MARK = /[[【]\s*\^?(\d{1,3}(?:\s*[,;]\s*\^?\d{1,3})*)(?:†[^\]】]{0,40})?\s*[\]】]/y;
/** Text that may become a mark when more text has come. */
const UNFINISHED = /[[【][\s^\d,;]*(?:†[^\]】]{0,40})?$|`+$/;
/** Share of a statement's words that its quote has to have. */
const SUPPORTED = 0.35;

/** Removes what cites no source from an answer while it comes. Code stays as it is: `list[0]` cites nothing. */
export class CitationFilter {
  readonly #most: number;
  #raw = "";
  #given = 0;

  constructor(sources: number) {
    this.#most = sources;
  }

  /** Takes the next piece of the answer, and returns what is certain by then. */
  push(piece: string): string {
    this.#raw += piece;
    const held = UNFINISHED.exec(this.#raw)?.index ?? this.#raw.length;
    return this.#next(this.#raw.slice(0, held));
  }

  /** Returns what is left at the answer's end. */
  end(): string {
    return this.#next(this.#raw);
  }

  #next(raw: string): string {
    const text = withoutFalse(raw, this.#most);
    const more = text.slice(this.#given);
    this.#given = text.length;
    return more;
  }
}

interface Piece {
  text: string;
  /** Numbers of a mark; undefined for other text. */
  numbers?: number[];
}

/** Splits an answer into marks and other text; code is other text. */
function* piecesOf(answer: string): Generator<Piece, void, void> {
  let from = 0;
  let fence = "";
  for (let at = 0; at < answer.length; at++) {
    const character = answer[at];
    if (character === "`") {
      const run = /`+/y;
      run.lastIndex = at;
      const [ticks = ""] = run.exec(answer) ?? [];
      if (fence === "") fence = ticks;
      else if (ticks === fence || (fence.length >= 3 && ticks.length >= fence.length)) fence = "";
      at += ticks.length - 1;
    } else if (character === "\n" && fence.length < 3) {
      // A tick that is not closed on its line was none.
      fence = "";
    } else if ((character === "[" || character === "【") && fence === "") {
      MARK.lastIndex = at;
      const [mark, list] = MARK.exec(answer) ?? [];
      if (mark === undefined || list === undefined) continue;
      // A link's text, or its definition, is no citation.
      if (/^[(:]/.test(answer.slice(at + mark.length))) continue;
      if (at > from) yield { text: answer.slice(from, at) };
      yield { text: mark, numbers: (list.match(/\d+/g) ?? []).map(Number) };
      from = at + mark.length;
      at = from - 1;
    }
  }
  if (from < answer.length) yield { text: answer.slice(from) };
}

function withoutFalse(raw: string, most: number): string {
  let text = "";
  for (const { text: piece, numbers } of piecesOf(raw)) {
    if (numbers === undefined) text += piece;
    else
      text += numbers
        .filter((number) => number >= 1 && number <= most)
        .map((number) => `[${String(number)}]`)
        .join("");
  }
  return text;
}

/** Returns the citations of an answer that the filter has gone through. */
export function citationsIn(
  answer: string,
  sources: readonly Source[],
  pageAt: (source: Source, offset: number) => string | null,
): FileCitation[] {
  const found: FileCitation[] = [];
  let statement = "";
  let at = 0;
  for (const { text, numbers } of piecesOf(answer)) {
    // Marks that follow one another cite for one statement.
    if (numbers === undefined && /\p{L}|\p{N}/u.test(text)) statement = lastSentence(text);
    for (const number of numbers ?? []) {
      const source = sources[number - 1];
      if (source === undefined) continue;
      const { start, end, share } = nearest(statement, source.text);
      const [from, to] = [source.start + start, source.start + end];
      const { id: file_id, name: filename } = source.document;
      const quote = source.text.slice(start, end);
      const page = pageAt(source, from);
      const supported = share >= SUPPORTED;
      const file_citation = { file_id, filename, number, index: at, page, quote, start: from, end: to, supported };
      found.push({ type: "file_citation", file_citation });
    }
    at += text.length;
  }
  return found;
}

function lastSentence(text: string): string {
  const bounds = sentenceBounds(text);
  const sentences = bounds.slice(1).map((end, i) => text.slice(bounds[i], end));
  return sentences.findLast((sentence) => /\p{L}|\p{N}/u.test(sentence)) ?? text;
}

/** Returns the sentence of a source with the most of a statement's words, and their share. */
function nearest(statement: string, text: string): { start: number; end: number; share: number } {
  const wanted = new Set(termsOf(statement));
  const bounds = sentenceBounds(text).flatMap((start, i, all): [number, number][] => {
    const end = all[i + 1];
    if (end === undefined) return [];
    const part = text.slice(start, end);
    const from = start + part.length - part.trimStart().length;
    return part.trim() === "" ? [] : [[from, start + part.trimEnd().length]];
  });
  let best = { start: bounds[0]?.[0] ?? 0, end: bounds[0]?.[1] ?? text.length, share: 0 };
  let most = 0;
  for (const [start, end] of bounds) {
    const terms = new Set(termsOf(text.slice(start, end)));
    const shared = [...wanted].filter((term) => terms.has(term)).length;
    const share = wanted.size === 0 ? 0 : shared / wanted.size;
    // Prefer the shorter of two that have the words: it says it more exactly.
    const score = share - terms.size / 10_000;
    if (shared > 0 && score > most) [most, best] = [score, { start, end, share }];
  }
  return best;
}
