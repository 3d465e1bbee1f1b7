/**
 * Ranking by words: BM25+ over terms that keep identifiers whole and have their parts as well, so that
 * `Getopt::Long`, `is_site_local` and `readAsArrayBuffer` are found by name and by each word in them.
 */
import MiniSearch from "minisearch";

/** A passage or other thing by its number, with a score. */
export interface Scored {
  id: number;
  score: number;
}

const STOP_WORDS = new Set(
  "a about am an and any are as at be been but by can could did do does for from had has have he her his how i if in into is it its just me my no not of on or our out she should so some such than that the their them then there these they this those to too was we were what when where which who why will with would you your".split(
    " ",
  ),
);
const WORD = /[\p{L}\p{M}\p{N}_]+(?:(?:::|->|[.\-/])[\p{L}\p{M}\p{N}_]+)*/gu;
/** Scripts that put no spaces between words. */
const DENSE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
const SHORT_ENDS = /['’](?:s|t|re|ve|ll|d|m)(?!\p{L})/giu;
const CAMEL = /(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu}{2})(?=\p{Lu}\p{Ll})/u;
const LONGEST_TERM = 64;

let ofWords: Intl.Segmenter | undefined;

/** Returns a text's words in scripts without spaces. */
function segmented(text: string): string[] {
  ofWords ??= new Intl.Segmenter(undefined, { granularity: "word" });
  return Array.from(ofWords.segment(text))
    .filter(({ isWordLike }) => isWordLike === true)
    .map(({ segment }) => segment);
}

/** Returns a text's terms, in their order. */
export function termsOf(text: string): string[] {
  const found: string[] = [];
  const add = (term: string): void => {
    if (term !== "" && term.length <= LONGEST_TERM && !STOP_WORDS.has(term)) found.push(term);
  };
  // Soft hyphens divide words that are one.
  for (const [whole] of text
    .normalize("NFKC")
    .replace(/\u00ad/g, "")
    .replace(SHORT_ENDS, "")
    .matchAll(WORD)) {
    if (DENSE.test(whole)) {
      for (const word of segmented(whole)) add(word.toLowerCase());
      continue;
    }
    const lower = whole.toLowerCase();
    add(lower);
    for (const name of whole.split(/[^\p{L}\p{M}\p{N}]+/u)) {
      const words = name.split(CAMEL);
      if (name.length !== whole.length) add(name.toLowerCase());
      if (words.length > 1) for (const word of words) add(word.toLowerCase());
    }
  }
  return found;
}

/** Counts the words of a text as its reader does. */
export function countWords(text: string): number {
  return segmented(text).length;
}

/** A passage to be found by its words. */
export interface Entry {
  id: number;
  text: string;
  headings: string;
}

/** A ranking by words, here or in a worker. */
export interface Words {
  add(entries: Entry[]): Promise<void>;
  remove(ids: number[]): void;
  /** Returns the best passages for a query among those that a filter lets through. */
  search(query: string, most: number, isChosen: (id: number) => boolean): Scored[] | Promise<Scored[]>;
}

/** Weight of the headings above a passage beside its text. */
const HEADINGS = 0.5;
const SLICE = 200;

export class WordIndex implements Words {
  readonly #index = new MiniSearch<Entry>({
    fields: ["text", "headings"],
    tokenize: termsOf,
    processTerm: (term) => term,
    searchOptions: { boost: { headings: HEADINGS } },
  });

  /** Adds passages, a slice at a time, so that a page stays responsive. */
  async add(entries: Entry[]): Promise<void> {
    for (let at = 0; at < entries.length; at += SLICE) {
      this.#index.addAll(entries.slice(at, at + SLICE));
      if (at + SLICE < entries.length) await new Promise((resolve) => setTimeout(resolve));
    }
  }

  remove(ids: number[]): void {
    for (const id of ids) if (this.#index.has(id)) this.#index.discard(id);
  }

  /** Returns the best passages for a query among those that a filter lets through. */
  search(query: string, most: number, isChosen: (id: number) => boolean): Scored[] {
    const results = this.#index.search(query, { filter: (result) => isChosen(result.id as number) });
    return results.slice(0, most).map(({ id, score }) => ({ id: id as number, score }));
  }
}
