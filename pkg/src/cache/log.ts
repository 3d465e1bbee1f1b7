/**
 * The log of a cached file: append-only lines of JSON. A line left unfinished by a killed worker is ignored, as is one
 * that cannot be understood, which may come from another version of this program.
 */
import type { Identity } from "../source/http.js";

/** Log version, incremented when older lines change meaning. Logs without a version count as version 1. */
const VERSION = 1;

interface FirstLine extends Identity {
  url: string;
  /** Length of the file; null if the server does not report it. */
  total: number | null;
  /** The hub's identifier of these bytes. */
  version?: string | undefined;
}

/** Range of bytes that are present. */
export interface Span {
  from: number;
  to: number;
}

type Line =
  | FirstLine
  | Span
  | { complete: true; size: number; time: number; sum?: string | undefined }
  /** SHA-256 of the data, if computed after completion. */
  | { sum: string }
  | { absent: true; time: number };

export interface LogState extends FirstLine {
  /** Sorted, and no two touch. */
  spans: Span[];
  complete: boolean;
  /** The server had no such file. */
  absent: boolean;
  /** Time of completion, or when the file was found to be absent, in milliseconds since 1970. */
  time: number | undefined;
  /** SHA-256 of the whole file, if it was computed. */
  sum: string | undefined;
}

/** Parses a log; returns undefined if it contains nothing reliable. */
export function parseLog(text: string): LogState | undefined {
  let state: LogState | undefined;
  // Text after the last newline is an unfinished line or empty.
  for (const part of text.split("\n").slice(0, -1)) {
    const line = fieldsOf(part);
    if (typeof line.url === "string") {
      if ((line.v ?? VERSION) !== VERSION || !URL.canParse(line.url)) return undefined;
      state = { ...fresh(line.url), total: isLength(line.total) ? line.total : null };
      for (const name of ["etag", "modified", "version"] as const) {
        const value = line[name];
        if (typeof value === "string") state[name] = value;
      }
    } else if (state !== undefined) add(line, state);
  }
  return state;
}

export function fresh(url: string): LogState {
  const rest = { spans: [], complete: false, absent: false, time: undefined, sum: undefined };
  return { url, total: null, etag: null, modified: null, ...rest };
}

function add({ absent, complete, size, time, from, to, sum }: Record<string, unknown>, state: LogState): void {
  if (typeof sum === "string") state.sum = sum;
  if (absent === true) {
    state.absent = true;
    state.time = isLength(time) ? time : undefined;
  } else if (complete === true && isLength(size)) {
    state.complete = true;
    state.time = isLength(time) ? time : undefined;
    state.total = size;
    state.spans = [{ from: 0, to: size }];
  } else if (isLength(from) && isLength(to) && from < to && to <= (state.total ?? Infinity)) {
    state.spans = withSpan(state.spans, { from, to });
  }
}

function fieldsOf(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isLength(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Returns the spans with another one added, merged where they touch. */
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

/** Returns the gaps in the first `total` bytes. */
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

/** Encodes a line for the log. */
export function toLine(line: Line): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify("url" in line ? { v: VERSION, ...line } : line)}\n`);
}
