/** Storage of a library. Each document is a record of its own, and so is each piece of its vectors. */
import type { Mark } from "./blocks.js";
import type { DocumentType } from "./types.js";
import type { VectorSegment } from "./vectors.js";

/** A document as it is stored: plain data, without its vectors. */
export interface StoredDocument {
  id: string;
  name: string;
  type: DocumentType;
  bytes: number;
  added: number;
  pageCount: number | null;
  remarks: string[];
  isPictures: boolean;
  text: string;
  /** Start and end of each passage in the text. */
  bounds: Uint32Array<ArrayBuffer>;
  sections: Mark<string[]>[];
  pages: Mark<string>[];
}

/**
 * Storage of a library. What `put` has resolved for is there after the page was ended at any moment; a write that did not
 * resolve is there whole or not at all.
 */
export interface DocumentStore {
  /** Whether what is stored outlives the page. */
  readonly isKept: boolean;
  /** Yields the documents in any order. */
  documents(): AsyncIterable<StoredDocument>;
  put(document: StoredDocument): Promise<void>;
  /** Removes a document with all its vectors. */
  delete(id: string): Promise<void>;
  /** Returns a document's vectors of an embedder, by ascending start. */
  vectors(id: string, embedder: string): Promise<VectorSegment[]>;
  putVectors(id: string, embedder: string, segment: VectorSegment): Promise<void>;
  close(): void;
}

/** A store that lives as long as the page, or as whoever holds it. */
export class MemoryStore implements DocumentStore {
  readonly isKept = false;
  readonly #documents = new Map<string, StoredDocument>();
  readonly #vectors = new Map<string, Map<string, Map<number, VectorSegment>>>();

  async *documents(): AsyncGenerator<StoredDocument, void, void> {
    for (const document of [...this.#documents.values()]) yield await Promise.resolve(document);
  }

  put(document: StoredDocument): Promise<void> {
    this.#documents.set(document.id, document);
    return Promise.resolve();
  }

  delete(id: string): Promise<void> {
    this.#documents.delete(id);
    this.#vectors.delete(id);
    return Promise.resolve();
  }

  vectors(id: string, embedder: string): Promise<VectorSegment[]> {
    const segments = this.#vectors.get(id)?.get(embedder)?.values() ?? [];
    return Promise.resolve([...segments].sort((a, b) => a.start - b.start));
  }

  putVectors(id: string, embedder: string, segment: VectorSegment): Promise<void> {
    const ofDocument = this.#vectors.get(id) ?? new Map<string, Map<number, VectorSegment>>();
    const ofEmbedder = ofDocument.get(embedder) ?? new Map<number, VectorSegment>();
    ofEmbedder.set(segment.start, segment);
    this.#vectors.set(id, ofDocument.set(embedder, ofEmbedder));
    return Promise.resolve();
  }

  close(): void {
    // A library that is opened again on this store finds it as it was.
  }
}
