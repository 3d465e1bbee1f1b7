/**
 * What is known of a file in the cache: lines of JSON, only ever appended. A line that a killed worker left unfinished is
 * the last one, and is not counted.
 */
import type { Identity } from "../source/http.js";

interface FirstLine extends Identity {
  url: string;
  /** Length of the file; null where the server does not tell it. */
  total: number | null;
}

/** Bytes that are there. */
export interface Span {
  from: number;
  to: number;
}

type Line = FirstLine | Span | { complete: true; size: number; time: number } | { absent: true };

export interface LogState extends FirstLine {
  /** In order, none touching another. */
  spans: Span[];
  complete: boolean;
  /** The server had no such file. */
  absent: boolean;
  /** When it was completed, in milliseconds since 1970. */
  time: number | undefined;
}

export function parseLog(text: string): LogState | undefined {
  let state: LogState | undefined;
  // What follows the last line's end is unfinished, or nothing.
  for (const part of text.split("\n").slice(0, -1)) {
    let line: Line;
    try {
      line = JSON.parse(part) as Line;
    } catch {
      break;
    }
    if ("url" in line) state = { ...line, spans: [], complete: false, absent: false, time: undefined };
    else if (state === undefined) return undefined;
    else if ("absent" in line) state.absent = true;
    else if ("complete" in line) {
      state.complete = true;
      state.time = line.time;
      state.total = line.size;
      state.spans = [{ from: 0, to: line.size }];
    } else state.spans = withSpan(state.spans, line);
  }
  return state;
}

/** The spans and another one, joined where they touch. */
export function withSpan(spans: readonly Span[], added: Span): Span[] {
  const [before, after]: [Span[], Span[]] = [[], []];
  let { from, to } = added;
  for (const span of spans) {
    if (span.to < from) before.push(span);
    else if (span.from > to) after.push(span);
    else {
      from = Math.min(from, span.from);
      to = Math.max(to, span.to);
    }
  }
  return [...before, { from, to }, ...after];
}

/** What is not there of the first `total` bytes. */
export function missing(spans: readonly Span[], total: number): Span[] {
  const gaps: Span[] = [];
  let from = 0;
  for (const span of spans) {
    if (span.from > from) gaps.push({ from, to: Math.min(span.from, total) });
    from = Math.max(from, span.to);
  }
  if (from < total) gaps.push({ from, to: total });
  return gaps.filter((gap) => gap.from < gap.to);
}

export function bytesIn(spans: readonly Span[]): number {
  return spans.reduce((sum, span) => sum + span.to - span.from, 0);
}

/** A line as it is written. */
export function toLine(line: Line): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(line)}\n`);
}
