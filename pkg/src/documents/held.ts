/** A document in memory, and its passages by number. */
import { markAt } from "./blocks.js";
import type { StoredDocument } from "./store.js";
import type { DocumentInfo, Passage, PassageInContext } from "./types.js";
import { Vectors } from "./vectors.js";

export class Held {
  readonly stored: StoredDocument;
  /** Number of the first passage among those of the library; the others follow. */
  readonly base: number;
  vectors = new Vectors();
  /** Key of the embedder that the vectors are of, once they were looked for. */
  embedder: string | undefined;
  isDeleted = false;

  constructor(stored: StoredDocument, base: number) {
    this.stored = stored;
    this.base = base;
  }

  /** Number of passages. */
  get count(): number {
    return this.stored.bounds.length >> 1;
  }

  info(hasEmbedder: boolean): DocumentInfo {
    const { id, name, type, bytes, text, pageCount, remarks, added, isPictures } = this.stored;
    const embedded = this.vectors.count;
    const isReady = hasEmbedder && embedded === this.count;
    return {
      ...{ id, name, type, bytes, characters: text.length, pages: pageCount, passages: this.count, embedded },
      state: isPictures ? "pictures" : isReady ? "ready" : "words",
      remarks: [...remarks],
      added,
    };
  }

  /** Returns a passage's id, which `parsePassageId` takes apart. */
  id(index: number): string {
    return `${this.stored.id}.${String(index)}`;
  }

  start(index: number): number {
    return this.stored.bounds[2 * index] ?? 0;
  }

  end(index: number): number {
    return this.stored.bounds[2 * index + 1] ?? 0;
  }

  text(index: number): string {
    return this.stored.text.slice(this.start(index), this.end(index));
  }

  headings(index: number): string[] {
    return markAt(this.stored.sections, this.start(index))?.value ?? [];
  }

  page(offset: number): string | null {
    return markAt(this.stored.pages, offset)?.value ?? null;
  }

  /** Returns whether two passages have the same heading above them. */
  isOneSection(a: number, b: number): boolean {
    const { sections } = this.stored;
    return markAt(sections, this.start(a)) === markAt(sections, this.start(b));
  }

  /** Returns the text of a passage as it is embedded. */
  embeddingText(index: number): string {
    const headings = this.headings(index).join(" > ");
    return headings === "" ? this.text(index) : `${headings}\n${this.text(index)}`;
  }

  passage(index: number): Omit<Passage, "score" | "scores"> {
    const { id, name, type } = this.stored;
    const start = this.start(index);
    return {
      id: this.id(index),
      document: { id, name, type },
      text: this.text(index),
      start,
      end: this.end(index),
      page: this.page(start),
      headings: [...this.headings(index)],
    };
  }

  inContext(index: number): PassageInContext {
    const neighbour = (at: number): { id: string; text: string } | null =>
      at >= 0 && at < this.count && this.isOneSection(at, index) ? { id: this.id(at), text: this.text(at) } : null;
    return { ...this.passage(index), previous: neighbour(index - 1), next: neighbour(index + 1) };
  }
}

/** Returns the parts of a passage's id; the index is NaN if it is not one. */
export function parsePassageId(id: string): { document: string; index: number } {
  const [document = "", index = ""] = id.split(".");
  return { document, index: /^\d+$/.test(index) ? Number(index) : Number.NaN };
}
