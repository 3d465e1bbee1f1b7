/**
 * Passages: pieces of a document's text, cut at headings, paragraphs, sentences and lines. None crosses a heading, they
 * do not overlap, and each is exactly the document's text between its offsets.
 */
import type { Composed, Span } from "./blocks.js";
import { tokensIn } from "./tokens.js";

/** Most tokens of a passage, by the estimate of `tokensIn`. */
export const MOST_TOKENS = 200;

interface Piece {
  start: number;
  end: number;
  tokens: number;
}

/** Returns the passages' offsets: start and end of each, one after another. */
export function passagesOf({ text, spans }: Composed): Uint32Array<ArrayBuffer> {
  const bounds: number[] = [];
  let open: Piece | undefined;
  let section = -1;
  const close = (): void => {
    if (open !== undefined) bounds.push(open.start, open.end);
    open = undefined;
  };
  spans.forEach((span, i) => {
    if (span.section !== section) close();
    section = span.section;
    // A heading belongs to the passages below it, unless there are none.
    if (span.kind === "heading" && spans[i + 1]?.section === section) return;
    for (const piece of piecesOf(text, span)) {
      if (open !== undefined && open.tokens + piece.tokens <= MOST_TOKENS) {
        open = { start: open.start, end: piece.end, tokens: open.tokens + piece.tokens };
      } else {
        close();
        open = piece;
      }
    }
  });
  close();
  return Uint32Array.from(bounds);
}

/** Cuts a block into pieces of at most the tokens of a passage. */
function piecesOf(text: string, { kind, start, end }: Span): Piece[] {
  const whole = trimmed(text, start, end);
  if (whole === undefined) return [];
  if (whole.tokens <= MOST_TOKENS) return [whole];
  const parts = kind === "paragraph" || kind === "heading" ? sentences(text, start, end) : lines(text, start, end);
  return parts.flatMap((part) => (part.tokens <= MOST_TOKENS ? [part] : words(text, part)));
}

/** Returns a piece without the white space at its ends. */
function trimmed(text: string, start: number, end: number): Piece | undefined {
  const part = text.slice(start, end);
  const from = start + part.length - part.trimStart().length;
  const to = start + part.trimEnd().length;
  return from >= to ? undefined : { start: from, end: to, tokens: tokensIn(text.slice(from, to)) };
}

function cutAt(text: string, offsets: number[]): Piece[] {
  return offsets.slice(1).flatMap((end, i) => trimmed(text, offsets[i] ?? 0, end) ?? []);
}

let ofSentences: Intl.Segmenter | undefined;

/** Returns where sentences begin within a text, and its end. */
export function sentenceBounds(text: string): number[] {
  ofSentences ??= new Intl.Segmenter(undefined, { granularity: "sentence" });
  return [...Array.from(ofSentences.segment(text), ({ index }) => index), text.length];
}

function sentences(text: string, start: number, end: number): Piece[] {
  return cutAt(
    text,
    sentenceBounds(text.slice(start, end)).map((offset) => start + offset),
  );
}

function lines(text: string, start: number, end: number): Piece[] {
  const offsets = [start];
  for (let at = text.indexOf("\n", start); at !== -1 && at < end; at = text.indexOf("\n", at + 1)) offsets.push(at + 1);
  return cutAt(text, [...offsets, end]);
}

/** Cuts a sentence or line that is too long: at spaces if it has some, never within a character. */
function words(text: string, { start, end }: Piece): Piece[] {
  const found: Piece[] = [];
  for (const { index, 0: word } of text.slice(start, end).matchAll(/\S{1,40}\p{M}*\s*/gu)) {
    const piece = trimmed(text, start + index, start + index + word.length);
    const last = found.at(-1);
    if (piece === undefined) continue;
    if (last === undefined || last.tokens + piece.tokens > MOST_TOKENS) found.push(piece);
    else found[found.length - 1] = { start: last.start, end: piece.end, tokens: last.tokens + piece.tokens };
  }
  return found;
}
