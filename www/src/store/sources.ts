/** Passages of documents that an answer relies on, as they are kept with its message. */

/** A passage that the model was given. */
export interface Source {
  /** Name of the document. */
  title: string;
  /** Text of the passage. */
  quote: string;
  /** Origin: an address, or the hash of a file. */
  from: string;
  /** Number by which the answer cites it. */
  number?: number;
  /** Label of the page on which it begins; null for documents without pages. */
  page?: string | null;
  /** Offsets in the document's text. */
  start?: number;
  end?: number;
  headings?: string[];
}

/** A place in the answer that cites a source, with the sentence of the source that is nearest to it. */
export interface Citation {
  number: number;
  page: string | null;
  /** Offsets in the document's text. */
  start: number;
  end: number;
  /** Whether the sentence has the words of the answer; if not, the model may have made it up. */
  isSupported: boolean;
}

export interface SourcesPart {
  type: "sources";
  sources: Source[];
  /** Citations in the order of the answer's text. */
  citations?: Citation[];
  /** The question as it was sent, with the passages: an answer that was cut off continues from it. */
  prompt?: string;
}

/** Whether a part of another page's file has the fields of sources. */
export function isSourcesPart(part: Record<string, unknown>): boolean {
  const { sources, citations = [], prompt = "" } = part;
  return isText(prompt) && isListOf(sources, isSource) && isListOf(citations, isCitation);
}

type Fields = Record<string, unknown>;
const isText = (value: unknown): boolean => typeof value === "string";
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isPage = (value: unknown): boolean => value === null || isText(value);

function isListOf(value: unknown, is: (one: Fields) => boolean): boolean {
  if (!Array.isArray(value)) return false;
  return value.every((one: unknown) => typeof one === "object" && one !== null && is(one as Fields));
}

function isSource({ title, quote, from, number = 0, page = null, start = 0, end = 0, headings = [] }: Fields): boolean {
  const areHeadings = Array.isArray(headings) && headings.every(isText);
  return [title, quote, from].every(isText) && [number, start, end].every(isCount) && isPage(page) && areHeadings;
}

function isCitation({ number, page, start, end, isSupported }: Fields): boolean {
  return [number, start, end].every(isCount) && isPage(page) && typeof isSupported === "boolean";
}
