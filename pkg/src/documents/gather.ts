/** Sources of an answer: the chosen documents whole if they fit, otherwise the passages that answer best. */
import { HearthError } from "../core/errors.js";
import type { Held } from "./held.js";
import type { Library } from "./library.js";
import type { Source } from "./prompt.js";
import { tokensIn } from "./tokens.js";

/** Share of the context that whole documents may fill. */
const WHOLE = 0.6;
/** Share of the room that one of several documents may fill. */
const ONE_DOCUMENT = 0.4;
const CANDIDATES = 50;
/** Best passages that get their neighbours. */
const WITH_NEIGHBOURS = 3;
/** Tokens of a passage's label and marks. */
const LABEL = 30;
const LEAST_ROOM = 64;

interface Range {
  held: Held;
  first: number;
  last: number;
}

export interface GatherOptions {
  query: string;
  documents: string[] | undefined;
  /** Tokens for passages. */
  room: number;
  contextSize: number;
  /** Whether whole documents are not to be taken. */
  onlyPassages: boolean;
  signal: AbortSignal | undefined;
}

export async function gather(
  library: Library,
  options: GatherOptions,
): Promise<{ sources: Source[]; isWhole: boolean }> {
  const { query, documents, room, contextSize, onlyPassages, signal } = options;
  if (room < LEAST_ROOM) {
    const found = `${String(Math.max(0, room))} of ${String(contextSize)} tokens`;
    throw new HearthError("context_overflow", `the conversation leaves no room for passages: ${found}`);
  }
  const chosen = library.chosen(documents);
  const costs = new Costs();
  if (!onlyPassages) {
    const all = chosen.flatMap((held) => Array.from({ length: held.count }, (_, i) => ({ held, first: i, last: i })));
    const most = Math.min(room, WHOLE * contextSize);
    let cost = 0;
    const isFitting = all.every((range) => (cost += costs.of(range.held, range.first) + LABEL) <= most);
    if (isFitting) return { sources: all.map(sourceOf), isWhole: true };
  }
  const ranked = await library.ranked(query, { limit: CANDIDATES, documents, signal });
  const mostOfOne = chosen.length > 1 ? ONE_DOCUMENT * room : room;
  const spent = new Map<Held, number>();
  let left = room;
  const afford = (held: Held, index: number, label: number): boolean => {
    const cost = costs.of(held, index) + label;
    const own = (spent.get(held) ?? 0) + cost;
    if (cost > left || own > mostOfOne) return false;
    left -= cost;
    spent.set(held, own);
    return true;
  };
  const ranges: Range[] = [];
  const taken = (held: Held, index: number): boolean =>
    ranges.some((range) => range.held === held && index >= range.first && index <= range.last);
  for (const { held, index } of ranked) {
    if (!taken(held, index) && afford(held, index, LABEL)) ranges.push({ held, first: index, last: index });
  }
  for (const range of ranges.slice(0, WITH_NEIGHBOURS)) {
    const { held } = range;
    const isFree = (index: number): boolean =>
      index >= 0 && index < held.count && held.isOneSection(index, range.first) && !taken(held, index);
    if (isFree(range.last + 1) && afford(held, range.last + 1, 0)) range.last++;
    if (isFree(range.first - 1) && afford(held, range.first - 1, 0)) range.first--;
  }
  return { sources: merged(ranges).map(sourceOf), isWhole: false };
}

/** Joins ranges that touch in one section; the joined one has the place of the better. */
function merged(ranges: Range[]): Range[] {
  const found: Range[] = [];
  for (const range of ranges) {
    const { held, first, last } = range;
    const beside = found.find(
      (one) =>
        one.held === held && held.isOneSection(one.first, first) && first <= one.last + 1 && last >= one.first - 1,
    );
    if (beside === undefined) found.push({ ...range });
    else [beside.first, beside.last] = [Math.min(beside.first, first), Math.max(beside.last, last)];
  }
  // A range may have come to touch another by joining a third.
  return found.length < ranges.length ? merged(found) : found;
}

function sourceOf({ held, first, last }: Range, i: number): Source {
  const [start, end] = [held.start(first), held.end(last)];
  const { id, name } = held.stored;
  return {
    number: i + 1,
    document: { id, name },
    text: held.stored.text.slice(start, end),
    start,
    end,
    page: held.page(start),
    headings: [...held.headings(first)],
    passages: Array.from({ length: last - first + 1 }, (_, k) => held.id(first + k)),
  };
}

/** Tokens of passages, counted once. */
class Costs {
  readonly #known = new Map<number, number>();

  of(held: Held, index: number): number {
    const id = held.base + index;
    const known = this.#known.get(id) ?? tokensIn(held.text(index));
    this.#known.set(id, known);
    return known;
  }
}
